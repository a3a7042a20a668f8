//! Reads the kernel's own description of its types, as far as offsets of fields need it.
//!
//! Layout as in the kernel's Documentation/bpf/btf.rst: a header, the types one after another
//! (numbered from 1, in that order), and the strings that they name.

use anyhow::{Context as _, bail};

const MAGIC: u16 = 0xEB9F;
const HEADER: usize = 24;
/// Three words: name, kind with counts, size or type.
const TYPE: usize = 12;
const MEMBER: usize = 12;
const ENUMERATOR: usize = 8;

const KIND_POINTER: u32 = 2;
const KIND_ARRAY: u32 = 3;
const KIND_STRUCT: u32 = 4;
const KIND_UNION: u32 = 5;
const KIND_ENUM: u32 = 6;
const KIND_TYPEDEF: u32 = 8;
const KIND_VOLATILE: u32 = 9;
const KIND_CONST: u32 = 10;
const KIND_RESTRICT: u32 = 11;
const KIND_FUNCTION: u32 = 12;
const KIND_PROTOTYPE: u32 = 13;
const KIND_TYPE_TAG: u32 = 18;

/// Anonymous structures inside each other are followed so deep.
const DEEPEST: u32 = 8;
/// Members that are looked at in search of one.
const MEMBERS_MAX: u32 = 1 << 17;
/// Typedefs and qualifiers of each other are followed so long.
const LONGEST: u32 = 32;

/// All types of a kernel.
pub(super) struct Types {
    bytes: Vec<u8>,
    strings: usize,
    /// Where each type begins in `bytes`; number 0 is `void`.
    starts: Vec<usize>,
}

#[derive(Clone, Copy)]
struct Type {
    name: u32,
    info: u32,
    /// Size in bytes, or the number of another type.
    other: u32,
    /// Where what follows the three words begins.
    rest: usize,
}

impl Type {
    fn kind(self) -> u32 {
        self.info >> 24 & 0x1f
    }

    fn count(self) -> usize {
        (self.info & 0xffff) as usize
    }

    /// Bytes after the three words.
    fn rest_length(self) -> anyhow::Result<usize> {
        Ok(match self.kind() {
            1 | 14 | 17 => 4,
            KIND_ARRAY => 12,
            KIND_STRUCT | KIND_UNION | 15 | 19 => self.count() * 12,
            KIND_ENUM | KIND_PROTOTYPE => self.count() * 8,
            KIND_POINTER | 7..=12 | 16 | 18 => 0,
            kind => bail!("kind {kind} of types is newer than this agent"),
        })
    }
}

impl Types {
    /// Takes in what `/sys/kernel/btf/vmlinux` holds.
    ///
    /// # Errors
    /// It is not BTF, is cut short, or has kinds of types that are not known here.
    pub(super) fn parse(bytes: Vec<u8>) -> anyhow::Result<Self> {
        let word = |at| word(&bytes, at);
        if word(0)? & 0xffff != u32::from(MAGIC) {
            bail!("this is no BTF of a little-endian machine");
        }
        let header = word(4)? as usize;
        if header < HEADER {
            bail!("a header of {header} bytes is too short");
        }
        let (types, length) = (header + word(8)? as usize, word(12)? as usize);
        let strings = header + word(16)? as usize;
        let (mut starts, mut at) = (vec![0], types);
        while at < types + length {
            starts.push(at);
            at += TYPE + read(&bytes, at)?.rest_length()?;
        }
        Ok(Self {
            bytes,
            strings,
            starts,
        })
    }

    /// Offset in bits of a path of fields, from the start of a structure.
    ///
    /// # Errors
    /// There is no such structure or field.
    pub(super) fn offset(&self, structure: &str, path: &[&str]) -> anyhow::Result<u32> {
        let mut holder = self.structure(structure)?;
        let mut bits = 0;
        for name in path {
            let (offset, number) = self
                .member(holder, name, &mut Search::default())?
                .with_context(|| format!("this kernel's struct {structure} has no field {name}"))?;
            bits = add(bits, offset)?;
            holder = self.strip(number)?;
        }
        Ok(bits)
    }

    /// How many parameters a function has.
    ///
    /// # Errors
    /// There is no such function.
    pub(super) fn parameters(&self, function: &str) -> anyhow::Result<u32> {
        let function = self
            .named(KIND_FUNCTION, function)?
            .with_context(|| format!("the kernel's BTF has no function {function}"))?;
        Ok(self.get(function.other)?.count() as u32)
    }

    /// Bytes of a structure.
    ///
    /// # Errors
    /// There is no such structure.
    pub(super) fn size(&self, structure: &str) -> anyhow::Result<u32> {
        Ok(self.structure(structure)?.other)
    }

    /// Whether what a tracepoint passes first is a pointer.
    ///
    /// # Errors
    /// There is no such tracepoint, or it passes nothing.
    pub(super) fn passes_pointer(&self, tracepoint: &str) -> anyhow::Result<bool> {
        let handler = self
            .named(KIND_TYPEDEF, &format!("btf_trace_{tracepoint}"))?
            .with_context(|| format!("the kernel's BTF has no tracepoint {tracepoint}"))?;
        let prototype = self.get(self.strip(handler.other)?.other)?;
        if prototype.kind() != KIND_PROTOTYPE || prototype.count() < 2 {
            bail!("the kernel's tracepoint {tracepoint} passes nothing");
        }
        // Name and type of each parameter; the first is the handler's own.
        let first = word(&self.bytes, prototype.rest + 12)?;
        Ok(self.strip(first)?.kind() == KIND_POINTER)
    }

    /// The value of an enumeration's name.
    ///
    /// # Errors
    /// There is no such enumeration, or it has no such name.
    pub(super) fn enumerator(&self, enumeration: &str, name: &str) -> anyhow::Result<u32> {
        let found = self
            .named(KIND_ENUM, enumeration)?
            .with_context(|| format!("the kernel's BTF has no enum {enumeration}"))?;
        for place in 0..found.count() {
            let at = found.rest + place * ENUMERATOR;
            if self.is_named(word(&self.bytes, at)?, name) {
                return word(&self.bytes, at + 4);
            }
        }
        bail!("this kernel's enum {enumeration} has no {name}")
    }

    fn structure(&self, name: &str) -> anyhow::Result<Type> {
        self.named(KIND_STRUCT, name)?
            .with_context(|| format!("the kernel's BTF has no struct {name}"))
    }

    fn named(&self, kind: u32, name: &str) -> anyhow::Result<Option<Type>> {
        for number in 1..self.starts.len() {
            let candidate = self.get(number as u32)?;
            if candidate.kind() == kind && self.is_named(candidate.name, name) {
                return Ok(Some(candidate));
            }
        }
        Ok(None)
    }

    /// A member by name, also inside anonymous structures and unions: its offset in bits and the
    /// number of its type.
    fn member(
        &self,
        holder: Type,
        name: &str,
        search: &mut Search,
    ) -> anyhow::Result<Option<(u32, u32)>> {
        if !matches!(holder.kind(), KIND_STRUCT | KIND_UNION) || search.depth > DEEPEST {
            return Ok(None);
        }
        // With the flag set, the upper byte of an offset is the width of a bit field.
        let mask = if holder.info >> 31 == 1 {
            0x00ff_ffff
        } else {
            u32::MAX
        };
        for place in 0..holder.count() {
            search.members += 1;
            if search.members > MEMBERS_MAX {
                bail!("the kernel's BTF has too many fields to find {name}");
            }
            let at = holder.rest + place * MEMBER;
            let (own, number) = (word(&self.bytes, at)?, word(&self.bytes, at + 4)?);
            let offset = word(&self.bytes, at + 8)? & mask;
            if self.is_named(own, name) {
                return Ok(Some((offset, number)));
            }
            if self.is_named(own, "") {
                search.depth += 1;
                let found = self.member(self.strip(number)?, name, search)?;
                search.depth -= 1;
                if let Some((inner, number)) = found {
                    return Ok(Some((add(offset, inner)?, number)));
                }
            }
        }
        Ok(None)
    }

    /// Removes typedefs and qualifiers.
    fn strip(&self, number: u32) -> anyhow::Result<Type> {
        let mut found = self.get(number)?;
        for _ in 0..LONGEST {
            match found.kind() {
                KIND_TYPEDEF | KIND_VOLATILE | KIND_CONST | KIND_RESTRICT | KIND_TYPE_TAG => {
                    found = self.get(found.other)?;
                }
                _ => return Ok(found),
            }
        }
        bail!("type {number} of the kernel's BTF leads in a circle")
    }

    fn get(&self, number: u32) -> anyhow::Result<Type> {
        let start = self.starts.get(number as usize).filter(|_| number > 0);
        read(
            &self.bytes,
            *start.with_context(|| format!("there is no type {number}"))?,
        )
    }

    fn is_named(&self, offset: u32, name: &str) -> bool {
        let rest = self.bytes.get(self.strings + offset as usize..);
        let rest = rest.unwrap_or_default().strip_prefix(name.as_bytes());
        rest.is_some_and(|rest| rest.first().is_none_or(|&byte| byte == 0))
    }
}

/// How far the search for a member has gone.
#[derive(Default)]
struct Search {
    depth: u32,
    members: u32,
}

fn add(offset: u32, inside: u32) -> anyhow::Result<u32> {
    let sum = offset.checked_add(inside);
    sum.context("a field of the kernel's BTF lies beyond any structure")
}

fn read(bytes: &[u8], at: usize) -> anyhow::Result<Type> {
    Ok(Type {
        name: word(bytes, at)?,
        info: word(bytes, at + 4)?,
        other: word(bytes, at + 8)?,
        rest: at + TYPE,
    })
}

fn word(bytes: &[u8], at: usize) -> anyhow::Result<u32> {
    let four = bytes.get(at..).and_then(|rest| rest.first_chunk());
    Ok(u32::from_le_bytes(
        *four.context("the kernel's BTF is cut short")?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(types: &[u32], strings: &[u8]) -> Vec<u8> {
        let length = (types.len() * 4) as u32;
        let header = [0x0001_EB9F, 24, 0, length, length, strings.len() as u32];
        let words = header.iter().chain(types);
        let words = words.flat_map(|word| word.to_le_bytes());
        words.chain(strings.iter().copied()).collect()
    }

    /// `struct outer { int first; struct { const named second; }; }`, where `named` is a typedef
    /// of `struct inner { int a; int b; }`.
    fn sample() -> Vec<u8> {
        let strings = b"\0int\0outer\0first\0inner\0a\0b\0named\0second\0";
        let at = |name: &str| {
            let name = [name.as_bytes(), b"\0"].concat();
            strings
                .windows(name.len())
                .position(|it| it == name)
                .unwrap() as u32
        };
        let composite = |count: u32| KIND_STRUCT << 24 | count;
        let types: Vec<u32> = [
            vec![at("int"), 1 << 24, 4, 32],
            vec![at("inner"), composite(2), 8, at("a"), 1, 0, at("b"), 1, 32],
            vec![at("named"), KIND_TYPEDEF << 24, 2],
            vec![0, KIND_CONST << 24, 3],
            vec![0, composite(1), 8, at("second"), 4, 0],
            vec![at("outer"), composite(2), 12, at("first"), 1, 0, 0, 5, 32],
        ]
        .concat();
        text(&types, strings)
    }

    #[test]
    fn a_structure_that_holds_itself_is_given_up_soon() {
        let members = 60_000;
        let mut types = vec![1, KIND_STRUCT << 24 | members, 4];
        for _ in 0..members {
            types.extend([0, 1, 8]);
        }
        let types = Types::parse(text(&types, b"\0a\0")).unwrap();
        let error = types.offset("a", &["b"]).unwrap_err().to_string();
        assert!(error.contains("too many fields"), "{error}");
    }

    #[test]
    fn an_offset_beyond_all_bounds_is_refused() {
        // Its only field is of its own type.
        let types = [1, KIND_STRUCT << 24 | 1, 4, 3, 1, u32::MAX];
        let types = Types::parse(text(&types, b"\0a\0b\0")).unwrap();
        assert!(types.offset("a", &["b", "b"]).is_err());
    }

    #[test]
    fn finds_fields_through_anonymous_structures_and_typedefs() {
        let types = Types::parse(sample()).unwrap();
        assert_eq!(types.offset("outer", &["first"]).unwrap(), 0);
        assert_eq!(types.offset("outer", &["second"]).unwrap(), 32);
        assert_eq!(types.offset("outer", &["second", "b"]).unwrap(), 64);
        assert_eq!(types.size("inner").unwrap(), 8);
    }

    #[test]
    fn tells_pointers_that_a_tracepoint_passes_from_numbers() {
        let strings = b"\0int\0btf_trace_a\0btf_trace_b\0";
        let prototype = |first| [0, KIND_PROTOTYPE << 24 | 2, 0, 0, 2, 0, first];
        let types: Vec<u32> = [
            &[1, 1 << 24, 4, 32, 0, KIND_POINTER << 24, 0][..],
            &prototype(2),
            &[0, KIND_POINTER << 24, 3, 5, KIND_TYPEDEF << 24, 4],
            &prototype(1),
            &[0, KIND_POINTER << 24, 6, 17, KIND_TYPEDEF << 24, 7],
        ]
        .concat();
        let types = Types::parse(text(&types, strings)).unwrap();
        assert!(types.passes_pointer("a").unwrap());
        assert!(!types.passes_pointer("b").unwrap());
        assert!(types.passes_pointer("c").is_err());
    }

    #[test]
    fn finds_the_value_of_an_enumerator() {
        let types = [1, KIND_ENUM << 24 | 2, 4, 3, 7, 5, 9];
        let types = Types::parse(text(&types, b"\0a\0b\0c\0")).unwrap();
        assert_eq!(types.enumerator("a", "c").unwrap(), 9);
        assert!(types.enumerator("a", "d").is_err());
        assert!(types.enumerator("b", "c").is_err());
    }

    #[test]
    fn says_what_is_missing() {
        let types = Types::parse(sample()).unwrap();
        let error =
            |structure, path: &[&str]| types.offset(structure, path).unwrap_err().to_string();
        assert!(error("outer", &["third"]).contains("no field third"));
        assert!(error("other", &["first"]).contains("no struct other"));
    }

    #[test]
    fn a_text_cut_anywhere_is_refused_or_read_without_a_panic() {
        let whole = sample();
        for length in 0..whole.len() {
            if let Ok(types) = Types::parse(whole[..length].to_vec()) {
                let _ = types.offset("outer", &["second", "b"]);
            }
        }
    }
}
