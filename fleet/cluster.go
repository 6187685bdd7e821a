package fleet

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/nats-io/nkeys"

	"github.com/mianmi/mianmi"
)

// Cluster is a NATS cluster to be set up for an installation: what its servers
// and mianmi have to know to trust each other.
type Cluster struct {
	Nodes    []string // names or addresses by which terminals, hosts and each other reach them
	Client   int      // port for mianmi
	Routes   int      // port for each other
	MQTT     int      // port for terminals
	StoreDir string   // of JetStream, on each server
}

// Names of files that all servers and mianmi share.
const (
	ClusterAuthority = "terminals-ca.pem"
	ClusterSettings  = "mianmi.yaml"
)

// clusterSizeMax is far more than a cluster of brokers has.
const clusterSizeMax = 32

func (c Cluster) check() error {
	if len(c.Nodes) == 0 || len(c.Nodes) > clusterSizeMax {
		return mianmi.InvalidField("nodes", "1 to 32 servers")
	}
	for i, n := range c.Nodes {
		if net.ParseIP(n) == nil && !hostName(n) {
			return mianmi.InvalidField("nodes", "want names and addresses without scheme and port")
		}
		if slices.Contains(c.Nodes[:i], n) {
			return mianmi.InvalidField("nodes", "a server stands there twice")
		}
	}
	ports := map[string]int{"client_port": c.Client, "routes_port": c.Routes, "mqtt_port": c.MQTT}
	for _, name := range []string{"client_port", "routes_port", "mqtt_port"} {
		if p := ports[name]; p < 1 || p > 65535 {
			return mianmi.InvalidField(name, "want 1 to 65535")
		}
	}
	if c.Client == c.Routes || c.Routes == c.MQTT || c.MQTT == c.Client {
		return mianmi.InvalidField("mqtt_port", "want three different ports")
	}
	if c.StoreDir == "" || strings.ContainsAny(c.StoreDir, "\"\\\n\r") {
		return mianmi.InvalidField("store_dir", "want a folder without quotation marks and backslashes")
	}
	return nil
}

// hostName keeps to the letters of host names (RFC 1123, 2.1), for it becomes
// the name of a file.
func hostName(s string) bool {
	letters := strings.Trim(strings.ToLower(s), "abcdefghijklmnopqrstuvwxyz0123456789.-") == ""
	return s != "" && len(s) <= 253 && letters && !strings.HasPrefix(s, ".") && !strings.HasPrefix(s, "-") && !strings.Contains(s, "..")
}

// clusterSecrets are what servers and hosts tell each other. Whoever has a
// terminal's certificate has none of them.
type clusterSecrets struct {
	Host, Auth, System, Routes string // passwords
	Issuer, Seed               string // of the account key that signs passes
}

func newClusterSecrets(random io.Reader) (s clusterSecrets, err error) {
	for _, p := range []*string{&s.Host, &s.Auth, &s.System, &s.Routes} {
		var b [16]byte
		if _, err := io.ReadFull(random, b[:]); err != nil {
			return s, fmt.Errorf("read randomness for a cluster: %w", err)
		}
		*p = hex.EncodeToString(b[:])
	}
	pair, err := nkeys.CreatePairWithRand(nkeys.PrefixByteAccount, random)
	if err != nil {
		return s, fmt.Errorf("make the account key of a cluster: %w", err)
	}
	seed, err := pair.Seed()
	if err != nil {
		return s, fmt.Errorf("make the account key of a cluster: %w", err)
	}
	s.Seed = string(seed)
	if s.Issuer, err = pair.PublicKey(); err != nil {
		return s, fmt.Errorf("make the account key of a cluster: %w", err)
	}
	return s, nil
}

// Files makes what a new cluster needs, by file name: for each server its
// configuration, certificate and key, the authority's certificate, and the
// settings of mianmi. All but the certificates hold secrets.
func (c Cluster) Files(ca *CA, random io.Reader, now time.Time) (map[string][]byte, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	secrets, err := newClusterSecrets(random)
	if err != nil {
		return nil, err
	}
	out := map[string][]byte{ClusterAuthority: certificatePEM(ca.Certificate())}
	for _, n := range c.Nodes {
		key, err := ecdsa.GenerateKey(elliptic.P256(), random)
		if err != nil {
			return nil, fmt.Errorf("make a key for %s: %w", n, err)
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return nil, fmt.Errorf("encode the key of %s: %w", n, err)
		}
		out[n+".key"] = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
		if out[n+".pem"], err = c.certificate(ca, random, n, key, now); err != nil {
			return nil, err
		}
		if out[n+".conf"], err = c.text(clusterConf, n, secrets); err != nil {
			return nil, err
		}
	}
	out[ClusterSettings], err = c.text(clusterSettings, "mianmi", secrets)
	return out, err
}

// Renewed makes new certificates for the keys that servers of the cluster have;
// file returns the content of a file that Files made.
func (c Cluster) Renewed(ca *CA, random io.Reader, now time.Time, file func(name string) ([]byte, error)) (map[string][]byte, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	out := map[string][]byte{}
	for _, n := range c.Nodes {
		text, err := file(n + ".key")
		if err != nil {
			return nil, fmt.Errorf("read the key of %s: %w", n, err)
		}
		block, _ := pem.Decode(text)
		if block == nil {
			return nil, mianmi.InvalidField("out", n+".key holds no key")
		}
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		private, ok := key.(*ecdsa.PrivateKey)
		if err != nil || !ok {
			return nil, mianmi.InvalidField("out", n+".key holds no key that this program made")
		}
		if out[n+".pem"], err = c.certificate(ca, random, n, private, now); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (c Cluster) certificate(ca *CA, random io.Reader, node string, key *ecdsa.PrivateKey, now time.Time) ([]byte, error) {
	der, err := ca.IssueBroker(random, &key.PublicKey, []string{node}, now)
	if err != nil {
		return nil, err
	}
	// The chain ends in the authority: a terminal may know its fingerprint alone.
	return append(certificatePEM(der), certificatePEM(ca.Certificate())...), nil
}

func certificatePEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// text fills in one of the templates.
func (c Cluster) text(t *template.Template, node string, s clusterSecrets) ([]byte, error) {
	var b bytes.Buffer
	at := func(before string, port int) string {
		var list []string
		for _, n := range c.Nodes {
			list = append(list, before+net.JoinHostPort(n, strconv.Itoa(port)))
		}
		return strings.Join(list, ",")
	}
	as := func(user, password string, port int) string { return at("tls://"+user+":"+password+"@", port) }
	err := t.Execute(&b, map[string]any{
		"Node": node, "C": c, "S": s, "Payload": payloadMax, "Handshake": handshakeMax,
		"Host": as("host", s.Host, c.Client), "Auth": as("auth", s.Auth, c.Client), "System": as("sys", s.System, c.Client),
		"Routes": strings.Split(as("routes", s.Routes, c.Routes), ","), "Public": at("", c.MQTT),
	})
	if err != nil {
		return nil, fmt.Errorf("write the configuration of %s: %w", node, err)
	}
	return b.Bytes(), nil
}

// clusterConf is one server's. A terminal's certificate alone opens none of the
// ports but MQTT: the others want a password too.
var clusterConf = template.Must(template.New("nats.conf").Parse(`# NATS server of mianmi terminals: nats-server -c {{.Node}}.conf
server_name: "{{.Node}}"
listen: "0.0.0.0:{{.C.Client}}"
max_payload: {{.Payload}}
tls { cert_file: "{{.Node}}.pem", key_file: "{{.Node}}.key", ca_file: "terminals-ca.pem" }
jetstream { store_dir: "{{.C.StoreDir}}" }
{{if gt (len .C.Nodes) 1}}cluster {
  name: mianmi
  listen: "0.0.0.0:{{.C.Routes}}"
  authorization { user: routes, password: "{{.S.Routes}}", timeout: 5 }
  tls { cert_file: "{{.Node}}.pem", key_file: "{{.Node}}.key", ca_file: "terminals-ca.pem", verify: true, timeout: 5 }
  routes: [{{range $i, $r := .Routes}}{{if $i}}, {{end}}"{{$r}}"{{end}}]
}
{{end}}mqtt {
  listen: "0.0.0.0:{{.C.MQTT}}"
  tls { cert_file: "{{.Node}}.pem", key_file: "{{.Node}}.key", ca_file: "terminals-ca.pem", verify: true, timeout: {{.Handshake}} }
}
accounts {
  TERMINALS { jetstream: enabled, users: [ { user: host, password: "{{.S.Host}}" } ] }
  AUTH { users: [ { user: auth, password: "{{.S.Auth}}" } ] }
  SYS { users: [ { user: sys, password: "{{.S.System}}" } ] }
}
system_account: SYS
authorization { timeout: {{.Handshake}}, auth_callout { issuer: {{.S.Issuer}}, account: AUTH, auth_users: [ auth, host, sys ] } }
`))

// clusterSettings are mianmi's, for its configuration file.
var clusterSettings = template.Must(template.New(ClusterSettings).Parse(`# For the configuration file of 'mianmi serve' on every node.
nats: "{{.Host}}"
nats-auth: "{{.Auth}}"
nats-system: "{{.System}}"
nats-account: TERMINALS
nats-issuer: {{.S.Seed}}
mqtt-public: "{{.Public}}"
`))
