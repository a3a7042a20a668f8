//! Rust names: a module and a trait's method.
mod store {
    pub trait Keep {
        fn keep(&self) -> u64;
    }
    impl Keep for Vec<u64> {
        #[inline(never)]
        fn keep(&self) -> u64 {
            let before = std::hint::black_box(self.len());
            std::thread::park();
            std::hint::black_box(before) as u64 + 1
        }
    }
}

fn main() {
    use store::Keep;
    println!("{}", vec![1, 2, 3].keep() + 1);
}
