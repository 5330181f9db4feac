//! Sockets and waits of the host as a guest has them: loopback TCP, pairs of UNIX sockets, datagrams and
//! pipes, through the interpreter.
//!
//! Other threads of a test play the world. A test never asks whether something was fast, only that it did
//! not come before its time.
#![cfg(unix)]

mod connections;
mod guest;
mod servers;
mod things;
mod waits;
