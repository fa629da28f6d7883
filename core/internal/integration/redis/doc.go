// Package redis tests the backend in Redis over real servers: alone, behind Sentinel, in a Cluster, with TLS, with users
// who may do little, and with everything that goes wrong with Redis and with nothing else. It needs Debian's packages
// redis-server and redis-tools.
package redis
