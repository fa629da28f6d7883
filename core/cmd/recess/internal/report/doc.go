// Package report shows states and changes: to people in words, to machines in JSON.
package report
