// Command mianmi switches PIN-free payment off at POS terminals and proves it.
//
// It reads flags, environment and file, wires the packages together and runs
// one subcommand; each stands in a file of its own. No rule of the business
// is here.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	if os.Getenv("GOGC") == "" { // whoever sets it knows better
		boundHeap()
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// After the first signal the second one ends the program at once.
	context.AfterFunc(ctx, stop)
	code := run(ctx, os.Args[1:], &app{
		clock:   systemClock{},
		random:  systemRandom,
		stdin:   os.Stdin,
		stdout:  os.Stdout,
		stderr:  os.Stderr,
		environ: os.Environ(),
	})
	stop()
	os.Exit(code)
}
