package propagation

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/recess-go/recess/core/internal/integration/rigs"
)

func init() { bares["postgres"] = barePostgres }

// barePostgres updates a row and notifies, in one transaction.
func barePostgres(b *testing.B, rig rigs.Rig) *bare {
	connect := func() *pgx.Conn {
		u := url.URL{Scheme: "postgres", User: url.User("postgres"), Host: rig.Server.Addr, Path: "/postgres", RawQuery: "sslmode=disable"}
		conn, err := pgx.Connect(b.Context(), u.String())
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = conn.Close(context.Background()) })
		return conn
	}
	writer := connect()
	if _, err := writer.Exec(b.Context(), `create table bare (n int); insert into bare values (0)`); err != nil {
		b.Fatal(err)
	}
	a := new(bare)
	for i := range a.heard {
		heard := make(chan int, 1)
		a.heard[i] = heard
		conn := connect()
		if _, err := conn.Exec(b.Context(), `listen bare`); err != nil {
			b.Fatal(err)
		}
		listening, stop := context.WithCancel(context.Background())
		ended := make(chan struct{})
		b.Cleanup(func() { stop(); <-ended })
		go func() {
			defer close(ended)
			for {
				note, err := conn.WaitForNotification(listening)
				if err != nil {
					return
				}
				n, _ := strconv.Atoi(note.Payload)
				heard <- n
			}
		}()
	}
	a.publish = func(ctx context.Context, n int) error {
		return pgx.BeginFunc(ctx, writer, func(tx pgx.Tx) error {
			batch := new(pgx.Batch)
			batch.Queue(`update bare set n = $1`, n)
			batch.Queue(`select pg_notify('bare', $1)`, fmt.Sprint(n))
			return tx.SendBatch(ctx, batch).Close()
		})
	}
	return a
}
