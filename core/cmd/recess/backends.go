//go:build !local_backends

package main

// The command opens every backend that there is: core/config brings the file, memory, the environment, HTTP and lists of
// several; these bring the rest.
import (
	"github.com/go-sql-driver/mysql" // mysql: and mariadb:, the driver

	_ "github.com/recess-go/recess/core/state/blobstate"  // object stores
	_ "github.com/recess-go/recess/core/state/etcdstate"  // etcd:
	_ "github.com/recess-go/recess/core/state/natsstate"  // nats:
	_ "github.com/recess-go/recess/core/state/pgstate"    // postgres:
	_ "github.com/recess-go/recess/core/state/redisstate" // redis:
	_ "github.com/recess-go/recess/core/state/sqlstate"   // mysql:, mariadb: and sqlite:
	_ "gocloud.dev/blob/azureblob"                        // azblob:, the driver
	_ "gocloud.dev/blob/fileblob"                         // blob+file:, the driver
	_ "gocloud.dev/blob/gcsblob"                          // gs:, the driver
	_ "gocloud.dev/blob/s3blob"                           // s3:, the driver
	_ "modernc.org/sqlite"                                // sqlite:, the driver
)

// The driver would write of lost connections to standard error, which is the command's.
func init() { _ = mysql.SetLogger(&mysql.NopLogger{}) }
