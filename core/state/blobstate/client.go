package blobstate

import (
	"net/http"
	"reflect"

	"gocloud.dev/blob"
)

// hangUp closes the connections of a bucket on which no request is under way.
func hangUp(bucket *blob.Bucket) {
	if own := transportOf(bucket); own != nil {
		own.CloseIdleConnections()
	} else {
		http.DefaultClient.CloseIdleConnections() // Google's client, and whoever shares it, makes new ones
	}
}

// transportOf returns the connections that a bucket of s3blob has made for itself, nil for every other bucket. Amazon's
// client has no way to be closed, and would keep them for a minute and a half after the bucket, with two goroutines
// each: so they are sought where the drivers have them as of gocloud.dev v0.47.0. Where they are not there, the minute
// and a half is what it takes. The other drivers share theirs with the whole process.
func transportOf(bucket *blob.Bucket) *http.Transport {
	at := reflect.ValueOf(bucket)
	for _, field := range []string{"b", "client", "options", "HTTPClient", "client", "Transport", "tr"} {
		for at.Kind() == reflect.Pointer || at.Kind() == reflect.Interface {
			at = at.Elem()
		}
		if at.Kind() != reflect.Struct {
			return nil
		}
		at = at.FieldByName(field)
	}
	if at.Kind() == reflect.Interface {
		at = at.Elem()
	}
	if !at.IsValid() || at.Type() != reflect.TypeFor[*http.Transport]() {
		return nil
	}
	return (*http.Transport)(at.UnsafePointer())
}
