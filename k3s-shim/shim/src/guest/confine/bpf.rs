//! Filters of system calls, as programs for the kernel's classic BPF machine. Knows the machine and the record that a
//! filter sees; not which calls are good.

/// What a filter sees of a call (`struct seccomp_data`): where its fields are.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const ARGS: u32 = 16;

/// One instruction: `struct sock_filter`.
pub(super) type Instruction = libc::sock_filter;

const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const AT_LEAST: u16 = (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16;
const ANY_BIT: u16 = (libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

/// A call that is allowed, and when.
#[derive(Debug, Clone, Copy)]
pub(super) enum Rule {
    /// Always.
    Always(libc::c_long),
    /// If this argument is one of these.
    OneOf(libc::c_long, u32, &'static [u32]),
    /// If this argument has none of these bits.
    Without(libc::c_long, u32, u32),
}

const fn instruction(code: u16, jt: u8, jf: u8, k: u32) -> Instruction {
    Instruction { code, jt, jf, k }
}

/// The lower half of an argument. All values that are looked at fit into it.
const fn argument(number: u32) -> u32 {
    let half = if cfg!(target_endian = "big") { 4 } else { 0 };
    ARGS + 8 * number + half
}

/// The program: calls of another architecture or ABI and those in `never` end the process; what a rule allows, is allowed;
/// all others fail with EPERM.
pub(super) fn program(arch: u32, rules: &[Rule], never: &[libc::c_long]) -> Vec<Instruction> {
    let kill = instruction(RETURN, 0, 0, libc::SECCOMP_RET_KILL_PROCESS);
    let allow = instruction(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW);
    let deny = instruction(RETURN, 0, 0, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32);
    let mut program = vec![
        instruction(LOAD, 0, 0, ARCH),
        instruction(EQUAL, 1, 0, arch),
        kill,
        instruction(LOAD, 0, 0, NUMBER),
    ];
    if cfg!(target_arch = "x86_64") {
        // The calls of the x32 ABI have this bit.
        program.extend([instruction(AT_LEAST, 0, 1, 0x4000_0000), kill]);
    }
    // The kernel keeps the answer for calls that are allowed whatever their arguments are, so order costs nothing.
    for rule in rules {
        match *rule {
            Rule::Always(number) => {
                program.extend([instruction(EQUAL, 0, 1, number as u32), allow])
            }
            Rule::OneOf(number, index, values) => {
                let rest = 2 + 2 * values.len() as u8;
                program.extend([
                    instruction(EQUAL, 0, rest, number as u32),
                    instruction(LOAD, 0, 0, argument(index)),
                ]);
                for value in values {
                    program.extend([instruction(EQUAL, 0, 1, *value), allow]);
                }
                program.push(deny);
            }
            Rule::Without(number, index, bits) => program.extend([
                instruction(EQUAL, 0, 4, number as u32),
                instruction(LOAD, 0, 0, argument(index)),
                instruction(ANY_BIT, 1, 0, bits),
                allow,
                deny,
            ]),
        }
    }
    for number in never {
        program.extend([instruction(EQUAL, 0, 1, *number as u32), kill]);
    }
    program.push(deny);
    program
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a program as the kernel does.
    fn run(program: &[Instruction], arch: u32, number: u32, args: [u64; 6]) -> u32 {
        let mut data = Vec::new();
        data.extend(number.to_ne_bytes());
        data.extend(arch.to_ne_bytes());
        data.extend([0; 8]);
        args.iter().for_each(|arg| data.extend(arg.to_ne_bytes()));
        let (mut at, mut a) = (0, 0);
        loop {
            let Instruction { code, jt, jf, k } = program[at];
            at += 1;
            let jump = |taken| usize::from(if taken { jt } else { jf });
            match code {
                LOAD => a = u32::from_ne_bytes(data[k as usize..][..4].try_into().unwrap()),
                EQUAL => at += jump(a == k),
                AT_LEAST => at += jump(a >= k),
                ANY_BIT => at += jump(a & k != 0),
                RETURN => return k,
                _ => panic!("no instruction has the code {code}"),
            }
        }
    }

    #[test]
    fn what_a_program_answers() {
        const RULES: &[Rule] = &[
            Rule::Always(1),
            Rule::OneOf(16, 1, &[5, 6]),
            Rule::Without(9, 2, 4),
            Rule::Always(2),
        ];
        let program = program(77, RULES, &[59]);
        let answer = |number, second: u64, third: u64| {
            run(&program, 77, number, [0, second, third, 0, 0, 0])
        };
        let (allow, kill) = (libc::SECCOMP_RET_ALLOW, libc::SECCOMP_RET_KILL_PROCESS);
        let deny = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
        assert_eq!(answer(1, 0, 0), allow);
        assert_eq!(answer(2, 0, 0), allow);
        assert_eq!(answer(3, 0, 0), deny);
        assert_eq!(
            (answer(16, 5, 0), answer(16, 6, 0), answer(16, 7, 0)),
            (allow, allow, deny)
        );
        assert_eq!((answer(9, 0, 3), answer(9, 0, 7)), (allow, deny));
        assert_eq!(answer(59, 0, 0), kill);
        assert_eq!(run(&program, 78, 1, [0; 6]), kill);
        if cfg!(target_arch = "x86_64") {
            assert_eq!(answer(0x4000_0001, 0, 0), kill);
        }
    }
}
