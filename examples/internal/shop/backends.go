//go:build !local_backends

package shop

// RECESS_STATE may name any backend: core/config brings the file, memory, the environment, HTTP and lists of several;
// these bring the rest. An application of one's own imports the one that it uses.
import (
	_ "github.com/go-sql-driver/mysql"                    // mysql: and mariadb:, the driver
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
