// What the outbox's relay does on the bus, on nats.go: publish URL COUNT BATCH
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func cpu() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		log.Fatal(err)
	}
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}

func main() {
	count, batch := must(strconv.Atoi(os.Args[2])), must(strconv.Atoi(os.Args[3]))
	connection := must(nats.Connect(os.Args[1]))
	js := must(jetstream.New(connection))
	must(js.CreateOrUpdateStream(context.Background(), jetstream.StreamConfig{
		Name: "PEER", Subjects: []string{"souk.peer.>"}, Storage: jetstream.FileStorage, MaxBytes: 1 << 30, Duplicates: 2 * time.Minute,
		MaxAge: 30 * 24 * time.Hour}))
	payload := []byte(strings.Repeat("x", 300))
	run := time.Now().UnixNano()
	began, spent := time.Now(), cpu()
	acks := make([]jetstream.PubAckFuture, 0, batch)
	for sent := 0; sent < count; {
		for ; len(acks) < batch && sent < count; sent++ {
			id := fmt.Sprintf("%d-%d", run, sent)
			message := nats.NewMsg("souk.peer.v1.order.paid")
			message.Data = payload
			message.Header.Set("Nats-Msg-Id", id)
			message.Header.Set("ce-specversion", "1.0")
			message.Header.Set("ce-id", id)
			message.Header.Set("ce-source", "/services/peer")
			message.Header.Set("ce-type", "souk.peer.v1.OrderPaid")
			message.Header.Set("ce-subject", "orders/bench")
			message.Header.Set("ce-time", "2026-11-26T12:00:00.000Z")
			message.Header.Set("ce-datacontenttype", "application/protobuf")
			message.Header.Set("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
			acks = append(acks, must(js.PublishMsgAsync(message)))
		}
		for _, ack := range acks {
			select {
			case <-ack.Ok():
			case err := <-ack.Err():
				log.Fatal(err)
			}
		}
		acks = acks[:0]
	}
	if err := json.NewEncoder(os.Stdout).Encode(map[string]any{
		"count": count, "seconds": time.Since(began).Seconds(), "cpu_seconds": cpu() - spent}); err != nil {
		log.Fatal(err)
	}
}
