//! Registers, stacks and chains that no program would leave.

use std::cell::RefCell;
use std::process::Command;

use profiler_agent::stack::{End, FrameAddress, Limits, ProcFs, Stacks, Truncation};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::PROCESS;
use crate::capture::Recording;
use crate::fixture::{Directory, PAUSE, Program, compile};

fn word() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<u64>(),
        0_u64..0x2000,
        (u64::MAX - 0x2000)..=u64::MAX,
        Just(1 << 47),
    ]
}

/// Words of the true stack are replaced by words of it, by addresses in it and by any words.
fn edits() -> impl Strategy<Value = Vec<(usize, Option<usize>, u64)>> {
    prop::collection::vec((0_usize..2_000, any::<Option<usize>>(), word()), 0..60)
}

#[derive(Clone, Debug)]
struct Case {
    registers: Option<(u64, u64, u64)>,
    shift: i64,
    edits: Vec<(usize, Option<usize>, u64)>,
    chain: Vec<u64>,
    base: Option<u64>,
    cut: usize,
}

fn case() -> impl Strategy<Value = Case> {
    (
        prop::option::of((word(), word(), word())),
        prop_oneof![Just(0_i64), -4_096_i64..4_096],
        edits(),
        prop::collection::vec(word(), 0..130),
        prop_oneof![4 => Just(None), 1 => word().prop_map(Some)],
        0_usize..70_000,
    )
        .prop_map(|(registers, shift, edits, chain, base, cut)| Case {
            registers,
            shift,
            edits,
            chain,
            base,
            cut,
        })
}

impl Case {
    fn apply(&self, whole: &Recording) -> Recording {
        let mut recording = whole.cut(self.cut);
        let words = recording.slice.len() / 8;
        for &(place, from, value) in self.edits.iter().filter(|_| words > 0) {
            let place = place % words * 8;
            let value = match from.map(|from| (from % 2, from % words * 8)) {
                Some((0, from)) => recording.slice[from..from + 8].to_vec(),
                Some((_, from)) => (recording.base + from as u64).to_le_bytes().to_vec(),
                None => value.to_le_bytes().to_vec(),
            };
            recording.slice[place..place + 8].copy_from_slice(&value);
        }
        if let Some((ip, sp, bp)) = self.registers {
            recording.registers.ip = ip;
            recording.registers.sp = sp;
            recording.registers.bp = bp;
        }
        recording.registers.sp = recording.registers.sp.wrapping_add_signed(self.shift);
        recording.base = self.base.unwrap_or(recording.base);
        let chain = self.chain.iter().flat_map(|word| word.to_le_bytes());
        recording.chain = chain.collect();
        recording
    }
}

#[test]
fn unwinding_ends_and_does_not_panic() {
    let directory = Directory::new();
    let path = compile(&directory, "deep.c", &[]);
    let program = Program::start(Command::new(path).args(["pause", "5"]));
    let tid = program.wait_in(&[PAUSE], 1);
    let whole = Recording::of(tid, 64 << 10);
    let stacks = RefCell::new(Stacks::new(Box::new(ProcFs), Limits::default()));
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 2_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let checked = runner.run(&case(), |case| {
        let recording = case.apply(&whole);
        let mut stacks = stacks.borrow_mut();
        let (frames, end) = stacks.unwind(PROCESS, program.pid(), &recording.capture());
        prop_assert!(!frames.is_empty() && frames.len() <= 512);
        let leaf = FrameAddress::InstructionPointer(recording.registers.ip);
        prop_assert_eq!(frames[0].address, leaf);
        prop_assert_ne!(end, End::Truncated(Truncation::Failed));
        Ok(())
    });
    checked.unwrap_or_else(|error| panic!("{error}"));
}
