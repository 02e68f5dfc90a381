// Package e2e tests the library with its real drivers against real servers:
// what a user does, and what a user suffers.
package e2e
