// The s3 program is an S3 server over a directory: versitygw, from its own module. It is what the tests use in place of a
// cloud. It ends when its standard input does, so that it does not outlive the test run.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:7070", "`host:port` for clients")
	dir := flag.String("dir", "", "`directory` for the data")
	bucket := flag.String("bucket", "", "`name` of a bucket that is there from the start")
	owner := flag.String("owner", "", "`key:secret` of who may do everything")
	users := flag.String("users", "", "`key:secret,…` of others, who may do what a bucket's policy says")
	flag.Parse()

	go endWithInput()
	if err := serve(*addr, *dir, *bucket, *owner, *users); err != nil {
		fmt.Fprintln(os.Stderr, "s3:", err)
		os.Exit(1)
	}
}

// endWithInput ends the process when nobody holds the other end of its standard input any more.
func endWithInput() {
	_, _ = io.Copy(io.Discard, os.Stdin) // however it ends, it has ended
	os.Exit(0)
}

func serve(addr, dir, bucket, owner, users string) error {
	data, metadata := filepath.Join(dir, "buckets"), filepath.Join(dir, "metadata")
	// To this server a directory is a bucket, which belongs to the owner.
	if err := os.MkdirAll(filepath.Join(data, bucket), 0o755); err != nil {
		return err
	}
	var options posix.PosixOpts
	var storer meta.MetadataStorer = meta.XattrMeta{}
	if err := (meta.XattrMeta{}).Test(data); err != nil { // a file system without extended attributes
		if err := os.MkdirAll(metadata, 0o755); err != nil {
			return err
		}
		if storer, err = meta.NewSideCar(metadata); err != nil {
			return err
		}
		options.SideCarDir = metadata
	}
	backend, err := posix.New(data, storer, options)
	if err != nil {
		return err
	}
	key, secret, _ := strings.Cut(owner, ":")
	return embedgw.RunVersityGW(context.Background(), backend, &embedgw.Config{
		RootUserAccess: key, RootUserSecret: secret, IAMService: newAccounts(users),
		Ports: []string{addr}, KeepAlive: true, Quiet: true, DisableACLs: true,
		MaxConnections: 1000, MaxRequests: 1000, MultipartMaxParts: 10_000,
	})
}

// accounts are the users, which stay as they are.
type accounts map[string]auth.Account

func newAccounts(users string) accounts {
	all := make(accounts)
	for user := range strings.SplitSeq(users, ",") {
		if key, secret, ok := strings.Cut(user, ":"); ok {
			all[key] = auth.Account{Access: key, Secret: secret, Role: auth.RoleUser}
		}
	}
	return all
}

func (a accounts) GetUserAccount(access string) (auth.Account, error) {
	account, found := a[access]
	if !found {
		return auth.Account{}, auth.ErrNoSuchUser
	}
	return account, nil
}

func (a accounts) ResolveAccounts(keys []string) (missing []string, err error) {
	for _, key := range keys {
		if _, found := a[key]; !found {
			missing = append(missing, key)
		}
	}
	return missing, nil
}

func (a accounts) ListUserAccounts() (all []auth.Account, err error) {
	for _, account := range a {
		all = append(all, account)
	}
	return all, nil
}

var errFixed = fmt.Errorf("the accounts are fixed")

func (accounts) CreateAccount(auth.Account) error                  { return errFixed }
func (accounts) UpdateUserAccount(string, auth.MutableProps) error { return errFixed }
func (accounts) DeleteUserAccount(string) error                    { return errFixed }
func (accounts) Shutdown() error                                   { return nil }
