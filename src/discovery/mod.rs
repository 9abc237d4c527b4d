//! Where the roster comes from. So far the configuration's list; DNS and Kubernetes join with their own issues.
//!
//! A discovery says who belongs. That somebody is missing from it removes nobody here: that is for the detector to judge.

mod static_list;

pub use static_list::StaticList;
