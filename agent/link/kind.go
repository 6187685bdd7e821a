package link

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// kind finds out by which kind of network the host is reached, by the address
// of this end. "" is a network of which we do not know whether others listen.
func (l *Link) kind(ctx context.Context, local net.Addr) (kind, name string) {
	tcp, ok := local.(*net.TCPAddr)
	if !ok {
		return "", ""
	}
	if tcp.IP.IsLoopback() {
		return "local", "lo"
	}
	list, err := net.Interfaces()
	if err != nil {
		return "", ""
	}
	for _, i := range list {
		addresses, err := i.Addrs()
		if err != nil {
			continue
		}
		for _, a := range addresses {
			if n, ok := a.(*net.IPNet); ok && n.IP.Equal(tcp.IP) {
				return interfaceKind(ctx, l.o.SysRoot, i.Name), i.Name
			}
		}
	}
	return "", ""
}

// interfaceKind reads what Linux says of an interface under /sys/class/net.
func interfaceKind(ctx context.Context, root, name string) string {
	dir := filepath.Join(root, "/sys/class/net", name)
	exists := func(path string) bool { _, err := os.Stat(path); return err == nil }
	event, _ := os.ReadFile(filepath.Join(dir, "uevent")) // none: nothing is known
	hardware, _ := os.ReadFile(filepath.Join(dir, "type"))
	switch {
	case strings.Contains(string(event), "DEVTYPE=wwan"), strings.HasPrefix(name, "ppp"), strings.HasPrefix(name, "wwan"), strings.HasPrefix(name, "rmnet"):
		return "mobile"
	case exists(filepath.Join(dir, "wireless")), exists(filepath.Join(dir, "phy80211")), strings.Contains(string(event), "DEVTYPE=wlan"):
		return wifiKind(ctx, root, name)
	case strings.TrimSpace(string(hardware)) == "1": // ARPHRD_ETHER
		return "ethernet"
	}
	return ""
}

// wifiKind asks wpa_supplicant how the network is protected. Where it cannot be
// asked, nobody knows whether others listen: "".
func wifiKind(ctx context.Context, root, name string) string {
	status, err := supplicant(ctx, filepath.Join(root, "/run/wpa_supplicant", name))
	if err != nil {
		return ""
	}
	for line := range strings.Lines(status) {
		if key, ok := strings.CutPrefix(strings.TrimSpace(line), "key_mgmt="); ok {
			if key == "NONE" {
				return "wifi_open"
			}
			return "wifi"
		}
	}
	return ""
}

// supplicant sends STATUS to the control socket of wpa_supplicant, a datagram
// socket that answers to the sender's own.
func supplicant(ctx context.Context, socket string) (string, error) {
	dir, err := os.MkdirTemp("", "mianmi-wifi-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // in the system's folder for such
	c, err := net.DialUnix("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "s"), Net: "unixgram"}, &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return "", err
	}
	defer c.Close() //nolint:errcheck // a question
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) }) // in the past: give up
	defer stop()
	if _, err := c.Write([]byte("STATUS")); err != nil {
		return "", err
	}
	b := make([]byte, 4096)
	n, err := c.Read(b)
	return string(b[:n]), err
}
