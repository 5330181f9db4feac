//! Tests of faults, on a clock and sockets that are the tests' own.

mod lines;
mod sockets;
mod world;
