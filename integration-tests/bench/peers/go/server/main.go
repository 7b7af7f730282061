// The catalogue's methods over one product in memory, on grpc-go: server ADDRESS PRODUCT.JSON
package main

import (
	"context"
	"log"
	"net"
	"os"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"

	"souk.example/peers/gen/bench"
	"souk.example/peers/gen/catalog"
)

type server struct {
	catalog.UnimplementedCatalogServiceServer
	bench.UnimplementedStreamServiceServer
	product *catalog.Product
}

// As a service that has it in memory: nothing is copied but what differs.
func (s *server) GetProduct(_ context.Context, req *catalog.GetProductRequest) (*catalog.Product, error) {
	p := s.product
	return &catalog.Product{
		Name: req.Name, DisplayName: p.DisplayName, Description: p.Description, Categories: p.Categories, State: p.State,
		Price: p.Price, Images: p.Images, Rating: p.Rating, Options: p.Options, Variants: p.Variants, Attributes: p.Attributes,
		TaxClass: p.TaxClass, CreateTime: p.CreateTime, UpdateTime: p.UpdateTime, PublishTime: p.PublishTime, Etag: p.Etag,
	}, nil
}

func (s *server) Stream(req *bench.StreamRequest, out grpc.ServerStreamingServer[bench.StreamMessage]) error {
	text := strings.Repeat("x", int(req.Size))
	for i := int32(0); i < req.Count; i++ {
		if err := out.Send(&bench.StreamMessage{Text: text}); err != nil {
			return err
		}
	}
	return nil
}

func main() {
	text, err := os.ReadFile(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	product := &catalog.Product{}
	if err := protojson.Unmarshal(text, product); err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	core := grpc.NewServer()
	catalog.RegisterCatalogServiceServer(core, &server{product: product})
	bench.RegisterStreamServiceServer(core, &server{product: product})
	log.Fatal(core.Serve(listener))
}
