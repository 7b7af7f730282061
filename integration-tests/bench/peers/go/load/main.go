// Load with certificate and token, which h2load has none of: load ADDRESS CONNECTIONS CALLS_AT_ONCE COUNT [TLS_DIR TOKEN]
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"souk.example/peers/gen/catalog"
)

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func credentialsOf(folder string) credentials.TransportCredentials {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(must(os.ReadFile(filepath.Join(folder, "ca.crt"))))
	pair := must(tls.LoadX509KeyPair(filepath.Join(folder, "tls.crt"), filepath.Join(folder, "tls.key")))
	return credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: pool, ServerName: "localhost"})
}

func main() {
	connections, atOnce, count := must(strconv.Atoi(os.Args[2])), must(strconv.Atoi(os.Args[3])), must(strconv.Atoi(os.Args[4]))
	transport, ctx := insecure.NewCredentials(), context.Background()
	if len(os.Args) > 5 {
		transport = credentialsOf(os.Args[5])
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+os.Args[6])
	}
	var left atomic.Int64
	var done sync.WaitGroup
	left.Store(int64(count))
	for i := 0; i < connections; i++ {
		client := catalog.NewCatalogServiceClient(must(grpc.NewClient(os.Args[1], grpc.WithTransportCredentials(transport))))
		for j := 0; j < atOnce; j++ {
			done.Go(func() {
				for left.Add(-1) >= 0 {
					must(client.GetProduct(ctx, &catalog.GetProductRequest{Name: "products/mint-tea"}))
				}
			})
		}
	}
	done.Wait()
}
