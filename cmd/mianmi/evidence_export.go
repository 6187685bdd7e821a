package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/mianmi/mianmi"
)

type evidenceExportCmd struct {
	Dir string `arg:"" placeholder:"DIR" help:"Folder to write to; a later run adds what is new." zh:"输出目录；再次运行只补写新增部分。"`
}

// Run exports and tells how much.
func (c *evidenceExportCmd) Run(ctx context.Context, a *app) (err error) {
	db, log, err := a.readLog(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	got, err := log.Export(ctx, c.Dir)
	if err != nil {
		return err
	}
	text := mianmi.Text{ZH: "日志大小 %d；本次写入分片 %d 个、批次记录 %d 份\n", EN: "the log has %d entries; wrote %d tiles and the records of %d batches\n"}
	_, err = fmt.Fprintf(a.stdout, text.In(a.lang), got.Size, got.Tiles, got.Batches)
	return err
}
