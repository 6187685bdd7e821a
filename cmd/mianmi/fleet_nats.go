package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/fleet"
)

type fleetNATSCmd struct {
	Nodes      []string `arg:"" placeholder:"HOST" help:"Name or address of each server, as terminals and mianmi reach it." zh:"各服务器的域名或地址，终端和 mianmi 以此访问。"`
	Out        string   `required:"" placeholder:"DIR" help:"Folder for the files. One that holds those of this cluster gets new certificates, and nothing else changes." zh:"存放文件的目录。目录中若已有该集群的文件，则只续发证书，其余不变。"`
	ClientPort int      `placeholder:"PORT" default:"4222" help:"Port for mianmi." zh:"供 mianmi 连接的端口。"`
	RoutesPort int      `placeholder:"PORT" default:"6222" help:"Port for the servers among themselves." zh:"服务器之间互联的端口。"`
	MQTTPort   int      `name:"mqtt-port" placeholder:"PORT" default:"8883" help:"Port for terminals." zh:"供终端连接的端口。"`
	StoreDir   string   `placeholder:"DIR" default:"/var/lib/nats" help:"Folder of JetStream on each server: sessions of MQTT, nothing that would be missed." zh:"各服务器上 JetStream 的目录：仅存 MQTT 会话，丢失无妨。"`
}

// Run writes the files of a new cluster, or new certificates.
func (c *fleetNATSCmd) Run(ctx context.Context, a *app) (err error) {
	db, err := a.database(ctx, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	keys, err := a.keys(ctx, db)
	if err != nil {
		return err
	}
	ca, err := fleet.NewCA(keys.CASeed())
	if err != nil {
		return err
	}
	cluster := fleet.Cluster{Nodes: c.Nodes, Client: c.ClientPort, Routes: c.RoutesPort, MQTT: c.MQTTPort, StoreDir: c.StoreDir}
	now := a.clock.Now()
	old, err := c.existing()
	if err != nil {
		return err
	}
	var files map[string][]byte
	if old {
		files, err = cluster.Renewed(ca, a.random, now, func(name string) ([]byte, error) {
			return os.ReadFile(filepath.Join(c.Out, name))
		})
	} else {
		files, err = cluster.Files(ca, a.random, now)
	}
	if err != nil {
		return err
	}
	if err := c.write(files); err != nil {
		return err
	}
	_, err = fmt.Fprint(a.stdout, c.words(old, now).In(a.lang))
	return err
}

// existing reports whether the folder has this cluster's files. One with some of
// them is another cluster's: passwords and routes of the two would not fit.
func (c *fleetNATSCmd) existing() (bool, error) {
	found := 0
	for _, n := range c.Nodes {
		switch _, err := os.Stat(filepath.Join(c.Out, n+".conf")); {
		case err == nil:
			found++
		case !errors.Is(err, os.ErrNotExist):
			return false, err
		}
	}
	all, err := filepath.Glob(filepath.Join(c.Out, "*.conf"))
	if err != nil {
		return false, err
	}
	if found != len(all) || found != 0 && found != len(c.Nodes) {
		return false, mianmi.InvalidField("nodes", "the folder holds a cluster of other servers: name the same ones, or take another folder")
	}
	return found > 0, nil
}

// write replaces each file as a whole, for its owner alone.
func (c *fleetNATSCmd) write(files map[string][]byte) error {
	if err := os.MkdirAll(c.Out, 0o700); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		to := filepath.Join(c.Out, name)
		if err := os.WriteFile(to+".new", files[name], 0o600); err != nil {
			return err
		}
		if err := os.Rename(to+".new", to); err != nil {
			return err
		}
	}
	return nil
}

func (c *fleetNATSCmd) words(old bool, now time.Time) mianmi.Text {
	until := now.Add(fleet.CertificateLife).Local().Format(time.DateOnly)
	if old {
		return say("证书已续发，有效至 %s。请把各 .pem 复制到对应服务器，再执行 nats-server --signal reload。\n",
			"New certificates, good until %s. Copy each .pem to its server and run: nats-server --signal reload\n", until)
	}
	return say("已写入 %s：\n  每台服务器一份 <名称>.conf、.pem、.key，以及共用的 %s；在该目录下运行 nats-server -c <名称>.conf\n  %s 供各节点的 mianmi serve 使用，并入其配置文件\n"+
		"除证书外均含密钥，请勿外传。证书有效至 %s：到期前用同一条命令续发。\n",
		"Written to %s:\n  for each server NAME.conf, .pem and .key, and for all %s; run there: nats-server -c NAME.conf\n  %s for 'mianmi serve' on every node: add it to its configuration file\n"+
			"All but the certificates hold secrets. The certificates are good until %s: run the same command before that for new ones.\n",
		c.Out, fleet.ClusterAuthority, fleet.ClusterSettings, until)
}
