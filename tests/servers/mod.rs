//! Everything that a probe may ask: real servers on loopback, and whatever can be wrong at the other end.
//!
//! A program that needs all of it declares this module, one that needs little the files themselves.

pub(crate) mod child;
pub(crate) mod databases;
pub(crate) mod etcd;
pub(crate) mod faults;
pub(crate) mod group;
pub(crate) mod grpc;
pub(crate) mod http;
pub(crate) mod kafka;
pub(crate) mod mariadb;
pub(crate) mod postgres;
pub(crate) mod process;
pub(crate) mod rabbitmq;
pub(crate) mod rabbitmq_cluster;
pub(crate) mod redis;
