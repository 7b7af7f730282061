// grpc-gateway with all of the platform's routes, before one backend: gateway ADDRESS BACKEND
package main

import (
	"context"
	"log"
	"net/http"
	"os"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"souk.example/peers/gen/auth"
	"souk.example/peers/gen/cart"
	"souk.example/peers/gen/catalog"
	"souk.example/peers/gen/inventory"
	"souk.example/peers/gen/notification"
	"souk.example/peers/gen/orders"
	"souk.example/peers/gen/payments"
	"souk.example/peers/gen/shipping"
	"souk.example/peers/gen/users"
)

func main() {
	connection, err := grpc.NewClient(os.Args[2], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	mux := runtime.NewServeMux()
	for _, register := range []func(context.Context, *runtime.ServeMux, *grpc.ClientConn) error{
		auth.RegisterAuthServiceHandler, cart.RegisterCartServiceHandler, catalog.RegisterCatalogServiceHandler,
		inventory.RegisterInventoryServiceHandler, notification.RegisterNotificationServiceHandler, orders.RegisterOrdersServiceHandler,
		payments.RegisterPaymentsServiceHandler, shipping.RegisterShippingServiceHandler, users.RegisterUsersServiceHandler,
	} {
		if err := register(context.Background(), mux, connection); err != nil {
			log.Fatal(err)
		}
	}
	log.Fatal(http.ListenAndServe(os.Args[1], mux))
}
