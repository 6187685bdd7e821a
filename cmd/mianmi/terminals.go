package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/fleet"
	"github.com/mianmi/mianmi/store"
	"github.com/mianmi/mianmi/terminal"
	"github.com/mianmi/mianmi/update"
)

// terminalFlags are how terminals find the server. Without Terminals there is
// no listener for them.
type terminalFlags struct {
	Terminals        string   `placeholder:"HOST:PORT" help:"Address for terminals: mutual TLS with certificates of this installation's own authority; none by default, port 0 takes a free one." zh:"供终端连接的监听地址：双向 TLS，证书由本系统自己的证书机构签发；默认不开启，端口 0 表示任选空闲端口。"`
	TerminalNames    []string `placeholder:"NAME,…" help:"Host names and addresses by which terminals reach this server; they stand in its certificate, and the first in what terminals are told." zh:"终端访问本服务所用的域名和地址，写入服务端证书；第一个会告知终端。"`
	TerminalConnsMax int      `placeholder:"N" default:"20000" help:"Most MQTT connections of terminals at once." zh:"终端 MQTT 同时连接数上限。"`
	MQTT             string   `name:"mqtt" placeholder:"HOST:PORT" help:"Address of the built-in MQTT broker for terminals (TLS); none by default: terminals then ask by long polling." zh:"内置 MQTT 服务（TLS）供终端连接的监听地址；默认不开启，终端改用长轮询。"`
	MQTTPublic       string   `name:"mqtt-public" placeholder:"HOST:PORT,…" help:"Where terminals reach MQTT, one or several brokers; by default the first of terminal-names and the port of mqtt." zh:"终端访问 MQTT 的地址，可有多个；默认为 terminal-names 的第一个名称加 mqtt 的端口。"`

	Updates    string   `placeholder:"DIR" help:"Folder of the update repository that terminals take programs from; default is updates in the data folder." zh:"供终端下载程序的更新库目录；默认为数据目录下的 updates。"`
	UpdateKeys []string `placeholder:"DIR,…" help:"Folders with the keys of snapshot and timestamp: the server signs anew what is past half of its life. Default is update-keys in the data folder; without the keys 'mianmi update refresh' has to be run." zh:"snapshot 与 timestamp 密钥所在目录：有效期过半时由本服务续签。默认为数据目录下的 update-keys；没有密钥时须另行运行 mianmi update refresh。"`

	NATS        string `name:"nats" placeholder:"URL,…" help:"NATS cluster that carries the messages in the place of the built-in broker, as the user of the account that terminals live in; see docs/terminal-protocol.md." zh:"以外部 NATS 集群代替内置 MQTT 服务：终端所在账户的用户连接地址；见 docs/terminal-protocol.zh-CN.md。"`
	NATSAuth    string `name:"nats-auth" placeholder:"URL,…" help:"The same servers, as the user of the auth callout's account." zh:"同一集群，以鉴权回调（auth callout）账户的用户连接。"`
	NATSSystem  string `name:"nats-system" placeholder:"URL,…" help:"The same servers, as a user of the system account; with it the connections of a revoked terminal end at once, without it within ten minutes." zh:"同一集群，以系统账户的用户连接；设置后吊销终端会立即断开其连接，否则在十分钟内断开。"`
	NATSAccount string `name:"nats-account" placeholder:"NAME" default:"TERMINALS" help:"Name of the account that terminals live in." zh:"终端所在账户的名称。"`
	NATSIssuer  string `name:"nats-issuer" placeholder:"SEED" help:"Seed of the account key (SA…) that signs what the cluster asks about terminals; better in the environment or the file than on the command line." zh:"签发终端通行证的账户密钥种子（SA…）；宜写在环境变量或配置文件中，不宜写在命令行。"`
}

func (f *terminalFlags) check() error {
	switch {
	case f.Terminals == "" && (f.MQTT != "" || f.NATS != "" || len(f.TerminalNames) > 0):
		return errors.New("--terminals: without it there is nothing for --mqtt, --nats and --terminal-names to belong to")
	case f.Terminals == "":
		return nil
	case len(f.TerminalNames) == 0:
		return errors.New("--terminal-names: want at least one name or address by which terminals reach this server")
	case f.MQTT != "" && f.NATS != "":
		return errors.New("--mqtt and --nats: the built-in broker or a cluster, not both")
	case f.NATS != "" && (f.NATSAuth == "" || f.NATSIssuer == "" || f.NATSAccount == ""):
		return errors.New("--nats: want --nats-auth, --nats-account and --nats-issuer with it")
	case f.NATS != "" && f.MQTTPublic == "":
		return errors.New("--nats: want --mqtt-public with it, for terminals are told where to go")
	case f.TerminalConnsMax < 1 || f.TerminalConnsMax > 1_000_000:
		return errors.New("--terminal-conns-max: want 1 to 1000000")
	}
	if err := checkAddresses(f.MQTTPublic); err != nil {
		return fmt.Errorf("--mqtt-public: %w", err)
	}
	for _, n := range f.TerminalNames {
		if n == "" || strings.ContainsAny(n, "/: \t") && !strings.Contains(n, "::") {
			return errors.New("--terminal-names: want names and addresses without scheme and port")
		}
	}
	return nil
}

// brokersMax bounds what every terminal is told.
const brokersMax = 32

// checkAddresses refuses a list that terminals could not use; empty is good.
func checkAddresses(list string) error {
	if list == "" {
		return nil
	}
	all := strings.Split(list, ",")
	if len(all) > brokersMax {
		return errors.New("want at most 32 addresses")
	}
	for _, at := range all {
		_, port, err := net.SplitHostPort(at)
		if n, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil || n == 0 {
			return errors.New("want HOST:PORT, several with commas between them")
		}
	}
	return nil
}

// host is where terminals find the server, as people type it; empty: that is
// not known.
func (f *terminalFlags) host() string {
	_, port, err := net.SplitHostPort(f.Terminals)
	if err != nil || port == "" || port == "0" || len(f.TerminalNames) == 0 {
		return ""
	}
	return "https://" + net.JoinHostPort(f.TerminalNames[0], port)
}

// withTerminals makes what is needed of terminals with and without a listener
// for them: another node may have it.
func (s *services) withTerminals(a *app, db *store.DB) (err error) {
	s.terminals = terminal.New(db, a.clock, a.random).WithPolicies(s.merchants)
	s.enrol = &terminal.Enrol{Records: db, Keys: s.keys, Clock: a.clock, Random: a.random}
	s.ca, err = fleet.NewCA(s.keys.CASeed())
	return err
}

// fleet starts the listener for terminals, and the broker when one is wanted.
func (f *terminalFlags) fleet(ctx context.Context, a *app, db *store.DB, s *services) (*fleet.Service, error) {
	cfg := fleet.Config{Listen: f.Terminals, MQTTListen: f.MQTT, Names: f.TerminalNames, MQTTPublic: f.MQTTPublic,
		Folder: filepath.Join(a.shared.Data, "mqtt"), Node: "mianmi", ConnsMax: f.TerminalConnsMax}
	if f.NATS != "" {
		cfg.External = &fleet.External{URL: f.NATS, AuthURL: f.NATSAuth, SystemURL: f.NATSSystem, Account: f.NATSAccount, Issuer: f.NATSIssuer}
	}
	dir := a.updatesDir(f.Updates)
	n, err := fleet.New(ctx, fleet.Deps{Terminals: s.terminals, Versions: versions(db), Enroller: s.enrol, Payments: payments(db, s),
		Updates: func(p fleet.Peer) http.Handler {
			return update.Handler(dir, func(ctx context.Context, family, version string) (bool, error) {
				return s.terminals.MayTake(ctx, p.ID, family, version)
			})
		},
		Channels: channelsOf(db, s.watch), CA: s.ca, Clock: a.clock, Random: a.random, Log: a.log}, cfg)
	if err != nil {
		return nil, fmt.Errorf("terminals: %w", err)
	}
	s.terminals.OnRevoked(func(id mianmi.TerminalID) {
		if err := n.Kick(id); err != nil { // it is tried again within a second
			a.log.Warn("the connections of a revoked terminal were not ended at once", "terminal", string(id), "error", err)
		}
	})
	a.log.InfoContext(ctx, "serving terminals", "address", n.Address().String(), "authority", s.ca.Fingerprint().String())
	if at := n.MQTT(); at != "" {
		a.log.InfoContext(ctx, "serving MQTT", "address", at)
	}
	return n, nil
}

// watchUpdates begins to look after the repository for the terminals of a node.
func (f *terminalFlags) watchUpdates(ctx context.Context, a *app, db *store.DB, n *fleet.Service) (*workers, error) {
	watch := &updatesWatch{repository: a.updates(f.Updates, f.UpdateKeys), rollouts: db.ProgramsChanged, hint: n.HintUpdates, log: a.log}
	w, err := watch.worker(ctx)
	if err != nil {
		return nil, fmt.Errorf("updates: %w", err)
	}
	return startWorkers(ctx, a.log, tick, w), nil
}

// versions says what each terminal is to run by the newest settings.
func versions(db *store.DB) fleet.Versions {
	return func(ctx context.Context) (int64, func(mianmi.TerminalID) int64, error) {
		snap, err := db.Settings(ctx)
		if err != nil {
			return 0, nil, err
		}
		return snap.Epoch(), func(id mianmi.TerminalID) int64 {
			site, known := snap.Site(id)
			if !known {
				return 0
			}
			return site.Concern().Version
		}, nil
	}
}

// payments is the API as a terminal meets it: as itself, where it stands now.
func payments(db *store.DB, s *services) func(context.Context, fleet.Peer) (http.Handler, error) {
	return func(ctx context.Context, p fleet.Peer) (http.Handler, error) {
		snap, err := db.Settings(ctx)
		if err != nil {
			return nil, err
		}
		site, known := snap.Site(p.ID)
		if !known {
			return nil, mianmi.Missing("terminal")
		}
		return s.handler.ForTerminal(mianmi.Actor{Role: mianmi.RoleTerminal, ID: string(p.ID), Merchant: site.Merchant.ID, Store: site.Store.ID,
			Via: p.Key}), nil
	}
}
