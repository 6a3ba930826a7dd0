package batch

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"sync"
	_ "unsafe" // for go:linkname

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// Prism listens on every interface of the machine, and runs the process that a pipeline
// names for whoever hands it one. Neither can be told otherwise. So every call that a
// server of this process answers, and every call that a client of it makes, carries a
// secret that only this process has: gRPC has options for all servers and clients, which
// it exports to its own packages alone.
//
//go:linkname addServerOptions google.golang.org/grpc/internal.AddGlobalServerOptions
var addServerOptions any

//go:linkname addDialOptions google.golang.org/grpc/internal.AddGlobalDialOptions
var addDialOptions any

// secretKey is the metadata that carries the secret.
const secretKey = "pecvt-batch-secret"

// guard closes the servers of this process to others, once.
var guard = sync.OnceValue(func() error {
	servers, ok := addServerOptions.(func(...grpc.ServerOption))
	dials, also := addDialOptions.(func(...grpc.DialOption))
	if !ok || !also { // another gRPC: better no batch than an open port
		return errors.New("this build's gRPC cannot close Prism's port to others: give the address of a job server of Beam")
	}
	secret := rand.Text()
	servers(
		grpc.ChainUnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, h grpc.UnaryHandler) (any, error) {
			if err := admit(ctx, secret); err != nil {
				return nil, err
			}
			return h(ctx, req)
		}),
		grpc.ChainStreamInterceptor(func(srv any, s grpc.ServerStream, _ *grpc.StreamServerInfo, h grpc.StreamHandler) error {
			if err := admit(s.Context(), secret); err != nil {
				return err
			}
			return h(srv, s)
		}),
	)
	dials(
		grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, call grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			return call(metadata.AppendToOutgoingContext(ctx, secretKey, secret), method, req, reply, cc, opts...)
		}),
		grpc.WithChainStreamInterceptor(func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
			return open(metadata.AppendToOutgoingContext(ctx, secretKey, secret), desc, cc, method, opts...)
		}),
	)
	return nil
})

// admit refuses a call without the secret.
func admit(ctx context.Context, secret string) error {
	md, _ := metadata.FromIncomingContext(ctx)
	got := md.Get(secretKey)
	if len(got) != 1 || subtle.ConstantTimeCompare([]byte(got[0]), []byte(secret)) != 1 {
		return status.Error(codes.PermissionDenied, "this server is of one process")
	}
	return nil
}
