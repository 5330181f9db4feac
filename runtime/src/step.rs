//! Calls in steps: for schedulers that keep their thread.

use alloc::vec::Vec;

use crate::{AsContextMut, Func, Pending, Result, ResumableCall, SuspendedCall, Val, error::bail};

/// A call that runs in steps, from [`Func::start`].
///
/// Between two steps the store can be used for anything else, also for other such calls. Dropping it ends the call;
/// what the call has done to the store stays done.
#[derive(Debug)]
pub struct Execution(State);

#[derive(Debug)]
enum State {
    Ready {
        func: Func,
        params: Vec<Val>,
    },
    Suspended(SuspendedCall),
    /// It has returned or failed.
    Over,
}

/// What a step has come to.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub enum Step {
    /// The fuel of the step is used up, or the store's epoch deadline has come: there is more to do.
    Yield,
    /// A host function has nothing to give yet ([`Pending`]). The next step calls it again.
    HostCall,
    /// The function has returned.
    Done,
}

impl Func {
    /// Begins a call that runs in steps. Nothing runs yet, and the arguments are checked by the first step.
    pub fn start(&self, params: &[Val]) -> Execution {
        Execution(State::Ready {
            func: *self,
            params: params.into(),
        })
    }
}

impl Execution {
    /// Runs for about `fuel` units: the store's fuel is set to that, or to what the next instruction needs if it needs
    /// more, so that every step gets further. What is left of it can be asked for
    /// ([`Store::get_fuel`](crate::Store::get_fuel)). If the engine does not meter fuel, `fuel` is not looked at: then
    /// a step ends at the epoch deadline or in a host function.
    ///
    /// `results` are filled in by the step that is [`Step::Done`].
    ///
    /// ```
    /// use teff_runtime::{Config, Engine, Instance, Module, Step, Store, Val};
    ///
    /// # fn main() -> teff_runtime::Result<()> {
    /// let engine = Engine::new(Config::new().consume_fuel(true))?;
    /// let text = r#"(module (func (export "count") (param i32) (result i32) (local $i i32)
    ///     (loop
    ///         (local.set $i (i32.add (local.get $i) (i32.const 1)))
    ///         (br_if 0 (i32.lt_u (local.get $i) (local.get 0))))
    ///     (local.get $i)))"#;
    /// let module = Module::new(&engine, wat::parse_str(text)?)?;
    /// let mut store = Store::new(&engine, ());
    /// let instance = Instance::new(&mut store, &module, &[])?;
    /// let count = instance.get_func(&mut store, "count").unwrap();
    ///
    /// // Two calls take turns on one thread.
    /// let mut calls = [1000, 2000].map(|n| (count.start(&[Val::I32(n)]), [Val::I32(0)], false));
    /// while calls.iter().any(|(.., done)| !done) {
    ///     for (call, results, done) in calls.iter_mut().filter(|(.., done)| !done) {
    ///         *done = call.step(&mut store, 500, results)? == Step::Done;
    ///     }
    /// }
    /// assert_eq!(calls.map(|(_, [result], _)| result.unwrap_i32()), [1000, 2000]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Func::call`], and if the call is over. The call is over after an error.
    ///
    /// # Panics
    /// If the function belongs to another store.
    pub fn step(
        &mut self,
        mut store: impl AsContextMut,
        fuel: u64,
        results: &mut [Val],
    ) -> Result<Step> {
        let state = core::mem::replace(&mut self.0, State::Over);
        let required = match &state {
            State::Suspended(call) => call.required_fuel(),
            State::Ready { .. } => 0,
            State::Over => bail!("the call is over: there is no further step"),
        };
        if store.as_context().engine().config().consume_fuel {
            store.as_context_mut().set_fuel(fuel.max(required))?;
        }
        let call = match state {
            State::Ready { func, params } => {
                match func.call_resumable(&mut store, &params, results) {
                    // The function is the host's own.
                    Err(error) if error.is::<Pending>() => {
                        self.0 = State::Ready { func, params };
                        return Ok(Step::HostCall);
                    }
                    call => call?,
                }
            }
            State::Suspended(call) => call.resume(&mut store, results)?,
            State::Over => unreachable!("looked at above"),
        };
        let (call, step) = match call {
            ResumableCall::Finished => return Ok(Step::Done),
            ResumableCall::OutOfFuel(call) | ResumableCall::Interrupted(call) => {
                (call, Step::Yield)
            }
            ResumableCall::HostCall(call) => (call, Step::HostCall),
        };
        self.0 = State::Suspended(call);
        Ok(step)
    }

    /// Has it returned or failed?
    pub fn is_over(&self) -> bool {
        matches!(self.0, State::Over)
    }
}
