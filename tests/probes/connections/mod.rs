//! Connections that are held to real servers: one each, seen there, lost for the right reason, established again, and left
//! politely. What a server does that cannot be had here is played.

mod agent;
mod holding;
mod to_amqp;
mod to_grpc;
mod to_kafka;
mod to_mysql;
mod to_postgres;
mod to_redis;
mod to_tcp;
