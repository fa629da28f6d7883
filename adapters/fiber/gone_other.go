//go:build !unix

package recessfiber

import "net"

// watch cannot tell here whether a client goes away: its request waits until its time is up.
func watch(net.Conn) (gone <-chan struct{}, release func()) { return nil, func() {} }
