//! The spool, from writing to acknowledgement, over crashes, damage and full disks.

mod bounds;
mod common;
mod damage;
mod disk;
mod folder;
mod model;
mod sending;
