//! Connections that are held to real servers: one each, seen there, lost for the right reason, established again, and left
//! politely. What a server does that cannot be had here is played.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that panics is a test that fails")]

#[path = "../servers/child.rs"]
mod child;
#[path = "../servers/databases.rs"]
mod databases;
#[path = "../servers/faults.rs"]
mod faults;
#[path = "../servers/group.rs"]
mod group;
#[path = "../servers/kafka.rs"]
mod kafka;
#[path = "../servers/mariadb.rs"]
mod mariadb;
#[path = "../needs/mod.rs"]
mod needs;
#[path = "../own_network/mod.rs"]
mod own_network;
#[path = "../servers/postgres.rs"]
mod postgres;
#[path = "../servers/process.rs"]
mod process;
#[path = "../servers/rabbitmq.rs"]
mod rabbitmq;
#[path = "../servers/redis.rs"]
mod redis;

mod agent;
mod holding;
mod to_amqp;
mod to_grpc;
mod to_kafka;
mod to_mysql;
mod to_postgres;
mod to_redis;
mod to_tcp;
