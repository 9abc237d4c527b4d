//! Endpoints behind a real network: who does not reach one is named, a network policy in front of one that the cluster must
//! not lose is a partition, and a replica that has lost its primary is told as what it says of itself.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::laboratory::cluster::{Cluster, any_verdict, names};
use crate::laboratory::network::Family;
use crate::laboratory::play;
use crate::laboratory::words::Word;
use crate::postgres::{self, Postgres};
use crate::redis::Redis;

/// How often an endpoint is probed here, and how fast a failure is confirmed.
const PACE: &str = "period: 2s, timeout: 500ms, confirm_period: 500ms";

/// What takes connections from everywhere.
const OPEN: [&str; 4] = ["--bind", "0.0.0.0", "--protected-mode", "no"];

/// What an agent says of its only endpoint.
fn endpoint(cluster: &Cluster, node: usize) -> Value {
    let asked = cluster
        .network
        .within(node, || Command::new(env!("CARGO_BIN_EXE_netsplit")).args(["endpoints", "--json"]).output().unwrap());
    let text = String::from_utf8(asked.stdout).unwrap();
    let answer: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    answer["endpoints"][0].clone()
}

/// Waits until every agent says this of it.
#[track_caller]
fn all_find(cluster: &Cluster, unreached_from: &str, nodes: &[usize], reached: usize) {
    let right = json!([unreached_from, names(nodes), reached]);
    for node in cluster.all() {
        let found = || {
            let found = endpoint(cluster, node);
            json!([found["unreached_from"], found["nodes"], found["reached"]])
        };
        let came = (0..120).any(|_| {
            let is_so = found() == right;
            if !is_so {
                cluster.listen(Duration::from_millis(250));
            }
            is_so
        });
        assert!(came, "node-{node} should find {right}, and finds {}", endpoint(cluster, node));
    }
}

#[test]
fn two_of_five_that_lose_a_database_are_named_and_when_a_third_does_it_is_a_partition() {
    play(5, Family::V4, |cluster| {
        let host = cluster.stranger();
        let Some(redis) = cluster.network.within(host, || Redis::start(&OPEN)) else { return };
        let address = SocketAddr::new(cluster.network.address(host), redis.port);
        cluster.configure_further(&format!(
            "endpoints:\n  - {{name: db, type: redis, address: \"{address}\", {PACE}, partition: true}}\n"
        ));
        cluster.settle();
        all_find(cluster, "nowhere", &[], 5);
        cluster.cut(&[&[1, 2], &[host]]);
        cluster.wait_for_all([1, 2], "endpoint_down");
        all_find(cluster, "some_nodes", &[1, 2], 3);
        cluster.hears_no("anything of partitions", Word::is_verdict, any_verdict());
        assert!((3..=5).all(|node| cluster.count_of(node, "endpoint_down") == 0));
        cluster.cut(&[&[1, 2, 3], &[host]]);
        for node in cluster.all() {
            cluster.wait_for(node, "that it is lost", |said| said.iter().any(|word| word.is("partition_opened")));
            let opened = cluster.verdicts_of(node);
            assert_eq!((opened.len(), opened[0].text("kind"), opened[0].text("endpoint")), (1, "service", "db"));
            assert_eq!(opened[0].line["sides"][0]["nodes"], json!(names(&[1, 2, 3])), "{}", cluster.said(node));
            assert!(cluster.modes_of(node).is_empty(), "the mode stays: {}", cluster.said(node));
        }
        cluster.heal();
        for node in cluster.all() {
            cluster.wait_for(node, "that it is over", |said| said.iter().any(|word| word.is("partition_closed")));
            let closed = cluster.verdicts_of(node);
            assert_eq!(closed.last().unwrap().text("cause"), "healed", "{}", cluster.said(node));
        }
        all_find(cluster, "nowhere", &[], 5);
    });
}

#[test]
fn a_replica_of_redis_that_lost_its_primary_is_told_by_all_as_what_it_says_of_itself() {
    play(3, Family::V4, |cluster| {
        let (host, holder) = (cluster.stranger(), 3);
        let Some(primary) = cluster.network.within(host, || Redis::start(&OPEN)) else { return };
        let of = format!("{} {}", cluster.network.address(host), primary.port);
        let follow = ["--replicaof", &of, "--repl-timeout", "2", "--repl-ping-replica-period", "1"];
        let replica = cluster.network.within(holder, || Redis::start(&[&OPEN[..], &follow].concat()));
        let Some(replica) = replica else { return };
        let address = SocketAddr::new(cluster.network.address(holder), replica.port);
        cluster.configure_further(&format!(
            "endpoints:\n  - {{name: replica, type: redis, address: \"{address}\", {PACE}}}\n"
        ));
        cluster.settle();
        all_find(cluster, "nowhere", &[], 3);
        lose_the_primary_and_find_it_again(cluster, holder, host);
    });
}

#[test]
fn a_replica_of_postgresql_that_lost_its_primary_is_told_by_all_as_what_it_says_of_itself() {
    const LISTENS: &str = "listen_addresses=0.0.0.0";
    play(3, Family::V4, |cluster| {
        let (host, holder) = (cluster.stranger(), 3);
        let Some(primary) = cluster.network.within(host, || Postgres::start(&[LISTENS])) else { return };
        let whereto = cluster.network.address(host).to_string();
        let settings = [LISTENS, "wal_receiver_timeout=2s", "wal_retrieve_retry_interval=500ms"];
        let replica = cluster
            .network
            .within(holder, || Postgres::replica_at(&whereto, &primary, &settings, "started streaming WAL"));
        let Some(replica) = replica else { return };
        let directory = tempfile::tempdir().unwrap();
        let password = directory.path().join("password");
        fs::write(&password, postgres::PASSWORD).unwrap();
        let address = SocketAddr::new(cluster.network.address(holder), replica.port);
        let login = format!("username: {}, password_file: \"{}\"", postgres::USER, password.display());
        cluster.configure_further(&format!(
            "endpoints:\n  - {{name: replica, type: postgres, address: \"{address}\", {login}, {PACE}}}\n"
        ));
        cluster.settle();
        all_find(cluster, "nowhere", &[], 3);
        lose_the_primary_and_find_it_again(cluster, holder, host);
    });
}

/// Cuts a replica of what it follows, and only of that: all agents reach it, and all say what it says of itself.
fn lose_the_primary_and_find_it_again(cluster: &mut Cluster, replica: usize, primary: usize) {
    cluster.cut(&[&[replica], &[primary]]);
    for node in cluster.all() {
        cluster.wait_for(node, "endpoint_down", |said| said.iter().any(|word| word.is("endpoint_down")));
        let words = cluster.words_of(node);
        let down = words.iter().find(|word| word.is("endpoint_down")).unwrap();
        assert_eq!((down.text("cause"), down.text("ailment")), ("unhealthy", "replication_down"), "{}", down.told());
    }
    all_find(cluster, "everywhere", &[1, 2, 3], 0);
    cluster.heal();
    cluster.wait_for_all(cluster.all(), "endpoint_up");
}
