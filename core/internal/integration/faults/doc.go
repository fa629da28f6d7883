// Package faults holds the tests of what befalls a fleet: servers that die, freeze or lose what they kept, links that
// break, stall or lose a message, writers that race or die, storms of changes and of reconnections. Each test injects
// one fault into every backend, over its real server, while real engines follow it and requests come in all along, and
// asserts that no request gets a wrong answer or waits, that every engine follows the newest state soon after, and that
// nothing stays behind.
package faults
