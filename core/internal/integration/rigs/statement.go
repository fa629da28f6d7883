package rigs

import (
	"context"
	"database/sql/driver"
)

// Statements is a [driver.Connector] that tells of each statement before it is prepared, so that a test can count them,
// or meddle in between.
type Statements struct {
	driver.Connector
	Tell func(text string)
}

// Connect implements [driver.Connector].
func (s Statements) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := s.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &toldConn{conn, s.Tell}, nil
}

// A toldConn hides all but what every connection has, so that database/sql prepares each statement.
type toldConn struct {
	driver.Conn
	tell func(text string)
}

func (c *toldConn) Prepare(text string) (driver.Stmt, error) {
	c.tell(text)
	return c.Conn.Prepare(text)
}

func (c *toldConn) PrepareContext(ctx context.Context, text string) (driver.Stmt, error) {
	c.tell(text)
	return c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, text)
}

func (c *toldConn) ResetSession(ctx context.Context) error {
	return c.Conn.(driver.SessionResetter).ResetSession(ctx)
}

func (c *toldConn) IsValid() bool { return c.Conn.(driver.Validator).IsValid() }
