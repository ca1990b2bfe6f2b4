//! Starts the real AT Protocol peers on loopback, for tests and for people.
