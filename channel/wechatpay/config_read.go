package wechatpay

import (
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/mianmi/mianmi"
)

// Source is where a configuration comes from.
type Source struct {
	File string
	// Environ gives the value of an environment variable.
	Environ func(name string) (string, bool)
}

// ReadConfig reads the file of connections and the keys that it names. An error
// names the field, as connections[NAME].field, and never a value of a key.
func ReadConfig(s Source) ([]*Connection, error) {
	text, err := readBounded(s.File, configBytesMax)
	if err != nil {
		return nil, mianmi.InvalidField("wechatpay", "the file cannot be read: "+cause(err))
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil || len(doc.Content) != 1 {
		return nil, mianmi.InvalidField("wechatpay", "not one YAML document") // its text may quote a value
	}
	top, err := fieldsOf("", doc.Content[0])
	if err != nil {
		return nil, err
	}
	list, err := top.items("connections")
	if err != nil {
		return nil, err
	}
	if err := top.rest(); err != nil {
		return nil, err
	}
	if len(list) == 0 || len(list) > connectionsMax {
		return nil, mianmi.InvalidField("connections", fmt.Sprintf("want 1 to %d", connectionsMax))
	}
	var all []*Connection
	for i, n := range list {
		c, err := s.connection(i, n)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, unique(all)
}

// unique refuses names and merchants that stand there twice.
func unique(all []*Connection) error {
	names, merchants := map[string]bool{}, map[mianmi.MerchantID]string{}
	for _, c := range all {
		if names[c.Name] {
			return mianmi.InvalidField("connections["+c.Name+"].name", "stands there twice")
		}
		names[c.Name] = true
		for _, m := range c.Merchants {
			if other, twice := merchants[m]; twice {
				return mianmi.InvalidField("connections["+c.Name+"].merchants", string(m)+" is already served by "+other)
			}
			merchants[m] = c.Name
		}
	}
	return nil
}

var (
	nameForm   = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)
	mchForm    = regexp.MustCompile(`^[0-9]{1,32}$`)
	appForm    = regexp.MustCompile(`^[A-Za-z0-9]{1,32}$`)
	serialForm = regexp.MustCompile(`^[0-9A-Fa-f]{1,64}$`)
	keyIDForm  = regexp.MustCompile(`^PUB_KEY_ID_[0-9A-Za-z]{1,64}$`)
)

func (s Source) connection(i int, n *yaml.Node) (*Connection, error) {
	f, err := fieldsOf(fmt.Sprintf("connections[%d]", i), n)
	if err != nil {
		return nil, err
	}
	c := &Connection{}
	f.matching("name", &c.Name, nameForm, "want 1 to 32 of a-z, 0-9 and -")
	if f.err == nil {
		f.at = "connections[" + c.Name + "]"
	}
	f.account(c)
	c.Merchants = f.merchants("merchants")
	c.OwnRules = f.choice("unknown_payers", "step_up", "own_rules")
	f.matching("serial", &c.Serial, serialForm, "want the hexadecimal serial number of the API certificate")
	s.keys(f, c)
	c.Base, c.Second = f.address("base_url", baseDefault), f.second()
	c.Proxy, c.Notify = f.proxy("proxy"), f.address("notify_url", "")
	c.Roots = s.roots(f)
	c.ComplaintNotices = f.truth("complaint_notifications")
	c.Contracts = f.contracts("contracts", c.partner())
	c.ClientIP = f.text("client_ip")
	if _, err := netip.ParseAddr(c.ClientIP); c.ClientIP != "" && err != nil {
		f.fault("client_ip", "want an IP address")
	}
	if err := f.rest(); err != nil {
		return nil, err
	}
	return c, nil
}

// account reads who signs, and for whom.
func (f *fields) account(c *Connection) {
	if f.choice("mode", "direct", "partner") {
		f.matching("sp_mchid", &c.MchID, mchForm, "want the service provider's account number")
		f.matching("sp_appid", &c.AppID, appForm, "want the service provider's appid")
		f.matching("sub_mchid", &c.SubMchID, mchForm, "want the merchant's account number")
		if c.SubAppID = f.text("sub_appid"); c.SubAppID != "" && !appForm.MatchString(c.SubAppID) {
			f.fault("sub_appid", "want an appid")
		}
		return
	}
	f.matching("mchid", &c.MchID, mchForm, "want the merchant's account number")
	f.matching("appid", &c.AppID, appForm, "want the merchant's appid")
}

func (f *fields) merchants(name string) []mianmi.MerchantID {
	list, err := f.items(name)
	if err != nil {
		f.keep(err)
		return nil
	}
	if len(list) > merchantsMax {
		f.fault(name, fmt.Sprintf("want at most %d", merchantsMax))
		return nil
	}
	var all []mianmi.MerchantID
	for _, n := range list {
		if n.Kind != yaml.ScalarNode || !strings.HasPrefix(n.Value, "mc") {
			f.fault(name, "want identifiers of merchants, which start with mc")
			return nil
		}
		all = append(all, mianmi.MerchantID(n.Value))
	}
	return all
}

// contracts reads the number of the service of each kind of contract.
func (f *fields) contracts(name string, partner bool) map[Family]string {
	below := f.below(name)
	if below == nil {
		return nil
	}
	services := map[Family]string{}
	for kind, family := range familyNames {
		services[family] = below.text(kind)
		if services[family] != "" && !serviceForm.MatchString(services[family]) {
			below.fault(kind, "want the number of the service, digits")
		}
	}
	if services[Papay] != "" && partner {
		below.fault("papay", "is for direct accounts")
	}
	f.keep(below.rest())
	return services
}

// address reads an https address without path; http is for this machine alone.
func (f *fields) address(name, def string) *url.URL {
	text := f.text(name)
	if text == "" {
		text = def
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "":
		f.fault(name, "want an address like https://pay.example.com, without path, user and query")
		return nil
	case u.Scheme == "https", u.Scheme == "http" && thisMachine(u.Hostname()):
		u.Path = ""
		return u
	}
	f.fault(name, "want https; http is for an address of this machine alone")
	return nil
}

// second is the domain that stands in: WeChat Pay's own for its own first one,
// otherwise none by default.
func (f *fields) second() *url.URL {
	if f.has("second_url") {
		return f.address("second_url", "")
	}
	if f.has("base_url") {
		return nil
	}
	u, _ := url.Parse(secondDefault)
	return u
}

func (f *fields) proxy(name string) *url.URL {
	text := f.text(name)
	if text == "" {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "socks5" {
		f.fault(name, "want http://HOST:PORT, https:// or socks5://, without user and password")
		return nil
	}
	return u
}

func thisMachine(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// readBounded reads a regular file of at most max bytes.
func readBounded(file string, maxBytes int64) ([]byte, error) {
	r, err := os.Open(filepath.Clean(file))
	if err != nil {
		return nil, err
	}
	defer r.Close() //nolint:errcheck // read only
	text, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	if err == nil && int64(len(text)) > maxBytes {
		err = fmt.Errorf("larger than %d bytes", maxBytes)
	}
	return text, err
}

// cause is an error's last part, without the file's path.
func cause(err error) string {
	text := err.Error()
	return text[strings.LastIndex(text, ": ")+1:]
}
