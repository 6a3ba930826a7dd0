// Command pecvt converts the positional encoding of transformer checkpoints,
// emits ONNX graphs of the result and verifies them. See README.md.
package main

//go:generate go run ./gendocs ../..

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once
	if numbers, ok := os.LookupEnv(workerVariable); ok {
		os.Exit(runnersWorker(ctx, numbers, os.Args[1:], os.Stderr))
	}
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
