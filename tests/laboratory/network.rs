//! A network of its own: one namespace a node, and one with the bridge on which all of them hang. A cut is a rule in the
//! bridge that drops all IP between sides; nodes notice nothing but the silence.

use std::fmt::Write;
use std::fs::{self, File};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use nix::sched::{CloneFlags, setns};

use super::{self as laboratory, Laboratory, NAMES, feed};

/// Where agents listen.
pub const PORT: u16 = 7475;

/// Where the overlay's datagrams go, by RFC 7348.
const VXLAN: u16 = 4789;

/// What the nodes have addresses of: one family, and nothing of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    V4,
    V6,
    /// The agents are on a vxlan, as pods often are, which the hosts carry. All of it is IPv4.
    Overlay,
}

/// From whom, to whom.
pub type Way<'a> = (&'a [usize], &'a [usize]);

/// Nodes are numbered from 1, as in their names.
pub struct Network {
    case: usize,
    family: Family,
    switch: String,
    nodes: Vec<String>,
}

impl Network {
    /// So many nodes that reach each other.
    pub fn of(_: &Laboratory, nodes: usize, family: Family) -> Self {
        static CASES: AtomicUsize = AtomicUsize::new(1);
        let case = CASES.fetch_add(1, Ordering::Relaxed);
        let names = (1..=nodes).map(|node| laboratory::name(case, &node.to_string())).collect();
        // From here on what is made is removed, whatever fails.
        let network = Self { case, family, switch: laboratory::name(case, "switch"), nodes: names };
        network.make();
        network
    }

    fn make(&self) {
        for name in self.names() {
            feed("ip", &["netns", "add", name], "");
        }
        let mut switch = "link add bridge type bridge mcast_snooping 0\nlink set bridge up\n".to_owned();
        for (number, name) in (1..).zip(&self.nodes) {
            writeln!(switch, "link add port-{number} type veth peer name eth0 netns {name}").unwrap();
            writeln!(switch, "link set port-{number} master bridge up").unwrap();
        }
        feed("ip", &["-n", &self.switch, "-batch", "-"], &switch);
        for (number, name) in (1..).zip(&self.nodes) {
            self.within(number, || {
                // What Kubernetes allows its pods, and a fresh namespace does not.
                fs::write("/proc/sys/net/ipv4/ping_group_range", "0 2147483647").unwrap();
                fs::write("/proc/sys/net/ipv6/conf/eth0/accept_dad", "0").unwrap();
            });
            let (length, flags) = if self.family == Family::V6 { (64, "nodad") } else { (24, "") };
            let host = self.host(number).unwrap_or_else(|| self.address(number));
            let mut node = format!("link set lo up\nlink set eth0 up\naddr add {host}/{length} dev eth0 {flags}\n");
            if self.family == Family::Overlay {
                // The bridge gives what is for all to all.
                let to_all = format!("group 239.75.0.1 dev eth0 dstport {VXLAN}");
                writeln!(node, "link add pod0 type vxlan id 75 local {host} {to_all}").unwrap();
                writeln!(node, "link set pod0 up\naddr add {}/24 dev pod0", self.address(number)).unwrap();
            }
            feed("ip", &["-n", name, "-batch", "-"], &node);
        }
    }

    /// Where a node's agent is.
    pub fn address(&self, node: usize) -> IpAddr {
        let host = u8::try_from(node).expect("a few nodes");
        match self.family {
            Family::V4 => Ipv4Addr::new(10, 75, 0, host).into(),
            Family::V6 => Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, host.into()).into(),
            Family::Overlay => Ipv4Addr::new(10, 76, 0, host).into(),
        }
    }

    /// Where its host is, if that is elsewhere.
    pub fn host(&self, node: usize) -> Option<IpAddr> {
        let host = u8::try_from(node).expect("a few nodes");
        (self.family == Family::Overlay).then(|| Ipv4Addr::new(10, 75, 0, host).into())
    }

    /// Where its agent listens.
    pub fn agent(&self, node: usize) -> SocketAddr {
        (self.address(node), PORT).into()
    }

    /// Does something as if on this node: sockets that are made and programs that are started meanwhile stay there.
    pub fn within<T: Send>(&self, node: usize, act: impl FnOnce() -> T + Send) -> T {
        inside(self.namespace(node), act)
    }

    /// A socket of this node, on any port.
    pub fn socket(&self, node: usize) -> UdpSocket {
        self.within(node, || UdpSocket::bind((self.address(node), 0)).unwrap())
    }

    /// No IP passes between these sides. Who is on none of them reaches all.
    pub fn cut(&self, sides: &[&[usize]]) {
        self.sever(&ways_between(sides));
    }

    /// No IP passes these ways; the ways back are open.
    pub fn sever(&self, ways: &[Way<'_>]) {
        self.drop_on(ways, "ether type { ip, ip6 }");
    }

    /// Nothing of the overlay passes between these sides; their hosts reach each other.
    pub fn cut_overlay(&self, sides: &[&[usize]]) {
        self.drop_on(&ways_between(sides), &format!("udp dport {VXLAN}"));
    }

    /// IP packets with more bytes than this pass nowhere, and nobody is told: a black hole for all who believe that they
    /// may be that large. Beside it nothing passes between these sides.
    pub fn swallow_larger(&self, bytes: usize, sides: &[&[usize]]) {
        let large = format!("ether type {{ ip, ip6 }} meta length > {bytes} drop\n");
        self.rule(&(large + &drops(&ways_between(sides), "ether type { ip, ip6 }")));
    }

    /// What a node sends from this port passes nowhere: one dead path of several.
    pub fn drop_port(&self, node: usize, port: u16) {
        self.rule(&format!("iifname \"port-{node}\" udp sport {port} drop"));
    }

    fn drop_on(&self, ways: &[Way<'_>], what: &str) {
        self.rule(&drops(ways, what));
    }

    /// No UDP passes at all; the rest does.
    pub fn block_udp(&self) {
        self.rule("meta l4proto udp drop");
    }

    /// Everything passes.
    pub fn heal(&self) {
        self.rule("");
    }

    /// These rules instead of those before, in one transaction.
    fn rule(&self, rules: &str) {
        let all = format!(
            "table bridge cut\ndelete table bridge cut\ntable bridge cut {{\n chain forward {{\n\
             type filter hook forward priority 0; policy accept;\n{rules}\n }}\n}}\n"
        );
        inside(&self.switch, || feed("nft", &["-f", "-"], &all));
    }

    /// Pulls the cable of a node, or plugs it in again.
    pub fn plug(&self, node: usize, is_in: bool) {
        let state = if is_in { "up" } else { "down" };
        feed("ip", &["-n", &self.switch, "link", "set", &format!("port-{node}"), state], "");
    }

    /// The namespace of a node.
    pub fn namespace(&self, node: usize) -> &str {
        &self.nodes[node - 1]
    }

    /// A name for one more namespace of this case, which whoever makes it removes.
    pub fn further(&self, what: &str) -> String {
        laboratory::name(self.case, what)
    }

    fn names(&self) -> impl Iterator<Item = &String> {
        self.nodes.iter().chain([&self.switch])
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for name in self.names().filter(|name| fs::exists(format!("{NAMES}/{name}")).unwrap_or_default()) {
            laboratory::remove(name);
        }
    }
}

/// Does something inside a namespace. It belongs to a thread, so a thread of its own enters it.
pub fn inside<T: Send>(name: &str, act: impl FnOnce() -> T + Send) -> T {
    let enter = || {
        let namespace = File::open(format!("{NAMES}/{name}")).unwrap();
        setns(namespace, CloneFlags::CLONE_NEWNET).unwrap();
        act()
    };
    thread::scope(|scope| scope.spawn(enter).join()).unwrap_or_else(|failure| std::panic::resume_unwind(failure))
}

/// Each way between each two of the sides.
fn ways_between<'a>(sides: &[&'a [usize]]) -> Vec<Way<'a>> {
    let ways = sides.iter().flat_map(|&from| sides.iter().map(move |&to| (from, to)));
    ways.filter(|(from, to)| from != to).collect()
}

/// A rule for each way.
fn drops(ways: &[Way<'_>], what: &str) -> String {
    ways.iter().fold(String::new(), |mut rules, (from, to)| {
        writeln!(rules, "{what} iifname {{ {} }} oifname {{ {} }} drop", ports(from), ports(to)).unwrap();
        rules
    })
}

fn ports(nodes: &[usize]) -> String {
    nodes.iter().map(|node| format!("\"port-{node}\"")).collect::<Vec<_>>().join(", ")
}
