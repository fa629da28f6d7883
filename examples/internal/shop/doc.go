// Package shop is what the four example applications have in common: a catalogue, orders, demo sessions, a page with
// a maintenance banner, streams, and a start and an end. Everything that a framework has its own way of doing is in
// examples/gin, echo, chi and fiber.
package shop
