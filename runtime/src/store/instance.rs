//! Instantiation (spec §4.5.4), and the instructions on segments.

use alloc::{boxed::Box, vec, vec::Vec};
use core::ptr::{self, NonNull};

use super::{
    FuncObj, GlobalObj, InstanceObj, MemoryObj, StoreInner, TableObj, objects::checked_range,
};
use crate::{
    Extern, Module, Result, Trap,
    error::bail,
    exec,
    module::{
        ExternIndex, ExternKind,
        const_expr::{self, Environment},
        cursor::Cursor,
        segments::Mode,
    },
    types::{MemoryType, TableType},
};

/// Instantiates a module: checks the imports, allocates, initialises, starts.
///
/// What initialisation wrote before a trap stays written, also into imported tables and memories, and the
/// instance stays in the store, as its functions may be in tables already.
///
/// # Safety
/// `store` is valid and nobody holds a reference to it.
pub(crate) unsafe fn instantiate(
    store: NonNull<StoreInner>,
    module: &Module,
    imports: &[Extern],
) -> Result<NonNull<InstanceObj>> {
    // SAFETY: the caller promises exclusive use; the reference ends before anything else runs.
    let instance = unsafe { allocate(&mut *store.as_ptr(), module, imports)? };
    // SAFETY: `allocate` has made the instance complete, and the store owns what it leads to.
    unsafe { initialise(instance)? };
    if let Some(start) = module.inner().start() {
        // SAFETY: as above.
        let start = unsafe { instance.as_ref() }.func(start);
        exec::invoke(store, start, &mut [])?;
    }
    Ok(instance)
}

/// Makes an instance whose tables and memories are not initialised yet. Nothing is added to the store on
/// an error.
fn allocate(
    store: &mut StoreInner,
    module: &Module,
    imports: &[Extern],
) -> Result<NonNull<InstanceObj>> {
    let inner = module.inner();
    if !crate::Engine::same(inner.engine(), &store.engine) {
        bail!("the module and the store belong to different engines");
    }
    check_imports(store, module, imports)?;
    store.check_counts(
        1,
        inner.defined_tables().len(),
        inner.defined_memories().len(),
    )?;

    // First all that can fail.
    let mut funcs = reserved::<FuncObj>(inner.num_funcs() as usize)?;
    let new_tables = inner
        .defined_tables()
        .iter()
        .map(|ty| TableObj::new(ty, 0, &store.limits));
    let new_tables = new_tables.collect::<Result<Vec<_>>>()?;
    let new_memories = inner
        .defined_memories()
        .iter()
        .map(|ty| MemoryObj::new(ty, &store.limits));
    let new_memories = new_memories.collect::<Result<Vec<_>>>()?;

    let (mut tables, mut memories, mut globals) = (Vec::new(), Vec::new(), Vec::new());
    for import in imports {
        match import {
            Extern::Func(func) => {
                // SAFETY: `object` checks that the function belongs to this store, where it never goes away.
                let FuncObj {
                    entry,
                    instance,
                    sig,
                    index,
                } = *unsafe { func.object(store).as_ref() };
                funcs.push(FuncObj {
                    entry,
                    instance,
                    sig,
                    index,
                });
            }
            Extern::Table(table) => tables.push(table.object(store).as_ptr()),
            Extern::Memory(memory) => memories.push(memory.object(store).as_ptr()),
            Extern::Global(global) => globals.push(global.object(store).as_ptr()),
        }
    }

    tables.extend(
        new_tables
            .into_iter()
            .map(|table| store.tables.add(table).as_ptr()),
    );
    memories.extend(
        new_memories
            .into_iter()
            .map(|memory| store.memories.add(memory).as_ptr()),
    );
    let new_globals: Box<[_]> = inner
        .defined_globals()
        .map(|(ty, _)| GlobalObj {
            value: [0; 2],
            ty: ty.clone(),
        })
        .collect();
    if !new_globals.is_empty() {
        let new_globals = store.globals.add_all(new_globals);
        let first = new_globals.cast::<GlobalObj>().as_ptr();
        // SAFETY: the offsets are within the objects just added.
        globals.extend((0..new_globals.len()).map(|i| unsafe { first.add(i) }));
    }

    let bits = |count: usize| vec![0; count.div_ceil(32)].into_boxed_slice();
    let instance = store.instances.add(InstanceObj {
        funcs: Box::default(),
        globals: globals.into(),
        tables: tables.into(),
        memories: memories.into(),
        dropped_elems: bits(inner.passive_elems().len()),
        dropped_data: bits(inner.passive_data().len()),
        module: module.clone(),
    });
    let imported = inner.num_imported_funcs();
    for index in imported..inner.num_funcs() {
        funcs.push(FuncObj {
            entry: inner.entry(index - imported),
            instance: instance.as_ptr(),
            sig: inner.sig(inner.func_type_index(index)),
            index,
        });
    }
    // SAFETY: the object was just made, and nobody else knows its address yet.
    unsafe { (*instance.as_ptr()).funcs = funcs.into() };
    Ok(instance)
}

fn reserved<T>(capacity: usize) -> Result<Vec<T>> {
    let mut list = Vec::new();
    if list.try_reserve_exact(capacity).is_err() {
        bail!("out of memory: cannot allocate an instance with {capacity} functions");
    }
    Ok(list)
}

/// Checks that each import is there, and of a type that matches (spec §3.5.1).
fn check_imports(store: &StoreInner, module: &Module, imports: &[Extern]) -> Result<()> {
    let expected = module.inner().import_items();
    if expected.len() != imports.len() {
        bail!(
            "the module has {} imports, but {} were given",
            expected.len(),
            imports.len()
        );
    }
    for (i, (expected, found)) in expected.zip(imports).enumerate() {
        if !matches(module, expected, found, store) {
            let (module_name, name) = module.inner().import_name(i);
            let (expected, found) = (module.inner().extern_type(expected), found.type_in(store));
            bail!(
                "incompatible import type for `{module_name}::{name}`: expected {expected}, found {found}"
            );
        }
    }
    Ok(())
}

fn matches(module: &Module, expected: ExternIndex, found: &Extern, store: &StoreInner) -> bool {
    let module = module.inner();
    let index = expected.index;
    match (expected.kind, found) {
        (ExternKind::Func, Extern::Func(found)) => {
            // SAFETY: `object` checks that the function belongs to this store, where it never goes away.
            let found = unsafe { found.object(store).as_ref() };
            found.sig == module.sig(module.func_type_index(index))
        }
        (ExternKind::Global, Extern::Global(found)) => {
            found.borrow(store).ty == *module.global_type(index)
        }
        (ExternKind::Table, Extern::Table(found)) => {
            table_matches(&found.borrow(store).ty(), module.table_type(index))
        }
        (ExternKind::Memory, Extern::Memory(found)) => {
            memory_matches(&found.borrow(store).ty(), module.memory_type(index))
        }
        _ => false,
    }
}

fn table_matches(found: &TableType, expected: &TableType) -> bool {
    found.element() == expected.element()
        && limits_match(
            (found.minimum(), found.maximum()),
            (expected.minimum(), expected.maximum()),
        )
}

fn memory_matches(found: &MemoryType, expected: &MemoryType) -> bool {
    found.page_size_log2() == expected.page_size_log2()
        && limits_match(
            (found.minimum(), found.maximum()),
            (expected.minimum(), expected.maximum()),
        )
}

/// Limits matching (spec §3.3.3.1): at least as much as expected, and never more than that.
fn limits_match(found: (u64, Option<u64>), expected: (u64, Option<u64>)) -> bool {
    found.0 >= expected.0
        && match (found.1, expected.1) {
            (_, None) => true,
            (Some(found), Some(expected)) => found <= expected,
            (None, Some(_)) => false,
        }
}

/// Globals, then active element segments, then active data segments, each in order.
///
/// # Safety
/// The instance is complete, and nobody holds references to what it leads to.
unsafe fn initialise(instance: NonNull<InstanceObj>) -> Result<()> {
    // SAFETY: the caller promises that the instance is valid. None of its own fields change here.
    let instance = unsafe { instance.as_ref() };
    let module = instance.module.inner();
    let bytes = module.bytes();
    let offset =
        |position| const_expr::evaluate(&mut Cursor::new(bytes, position as usize), instance)[0];

    let first_global = module.num_imported_globals() as usize;
    for (&global, (_, init)) in instance.globals[first_global..]
        .iter()
        .zip(module.defined_globals())
    {
        let value = const_expr::evaluate(&mut Cursor::new(bytes, init as usize), instance);
        // SAFETY: the global belongs to the store, and nobody holds a reference to it.
        unsafe { (*global).value = value };
    }
    for segment in module.elems() {
        if let Mode::Active {
            index,
            offset: position,
        } = segment.mode
        {
            let (dst, len) = (u64::from(offset(position) as u32), segment.items.count);
            // SAFETY: the table belongs to the store, and nobody holds a reference to it.
            let table = unsafe { &mut *instance.tables[index as usize] };
            let mut elements = table.range(dst, u64::from(len))?.iter_mut();
            segment.items.for_each(bytes, 0, len, instance, |item| {
                if let Some(element) = elements.next() {
                    *element = item;
                }
            });
        }
    }
    for segment in module.data() {
        if let Mode::Active {
            index,
            offset: position,
        } = segment.mode
        {
            let dst = u64::from(offset(position) as u32);
            // SAFETY: the memory belongs to the store, and nobody holds a reference to it.
            let memory = unsafe { &mut *instance.memories[index as usize] };
            memory
                .range(dst, u64::from(segment.bytes.len))?
                .copy_from_slice(segment.bytes.of(bytes));
        }
    }
    Ok(())
}

impl InstanceObj {
    /// A function of the index space.
    pub(crate) fn func(&self, index: u32) -> NonNull<FuncObj> {
        NonNull::from(&self.funcs[index as usize])
    }
}

impl Environment for InstanceObj {
    fn global(&self, index: u32) -> [u64; 2] {
        // SAFETY: globals live as long as the store, and are changed only by one thread at a time. No
        // reference to one is kept.
        unsafe { (*self.globals[index as usize]).value }
    }

    fn func_ref(&self, index: u32) -> u64 {
        self.funcs[index as usize].to_slot()
    }
}

/// `table.init`: checks `len` elements, and writes the first `count` of them.
///
/// # Safety
/// `instance` is valid, the indices are of its module, and nobody holds references to its tables.
pub(crate) unsafe fn table_init(
    instance: *mut InstanceObj,
    table: u32,
    elem: u32,
    [dst, src, len]: [u64; 3],
    count: u64,
) -> Result<(), Trap> {
    // SAFETY: the caller promises that the instance is valid; its lists do not change here.
    let instance = unsafe { &*instance };
    let module = instance.module.inner();
    // Active and declared segments are dropped from the start, and dropped ones have no items.
    let passive = module.passive_elems().get(elem);
    let items = passive
        .filter(|(number, _)| !is_set(&instance.dropped_elems, *number))
        .map(|found| found.1);
    let bound = items.map_or(0, |items| items.count());
    // SAFETY: the caller promises that the table is not borrowed.
    let table = unsafe { &mut *instance.tables[table as usize] };
    let source = checked_range(src, len, bound as usize).ok_or(Trap::TableOutOfBounds)?;
    let mut elements = table.range(dst, len)?.iter_mut();
    if let Some(items) = items {
        let (start, count) = (source.start as u32, count.min(len) as u32);
        items.for_each(module.bytes(), start, count, instance, |item| {
            if let Some(element) = elements.next() {
                *element = item;
            }
        });
    }
    Ok(())
}

/// `table.copy`. The tables may be the same and the ranges may overlap.
///
/// # Safety
/// `instance` is valid, the indices are of its module, and nobody holds references to its tables.
pub(crate) unsafe fn table_copy(
    instance: *mut InstanceObj,
    dst_table: u32,
    src_table: u32,
    dst: u64,
    src: u64,
    len: u64,
) -> Result<(), Trap> {
    // SAFETY: the caller promises that the instance is valid; its lists do not change here.
    let tables = unsafe { &(*instance).tables };
    let (to, from) = (tables[dst_table as usize], tables[src_table as usize]);
    // SAFETY: the caller promises that the tables are not borrowed. The two references do not overlap in
    // time, as they may be to the same table.
    let source: *const u64 = unsafe { (*from).range(src, len)?.as_ptr() };
    // SAFETY: as above.
    let target: *mut u64 = unsafe { (*to).range(dst, len)?.as_mut_ptr() };
    // SAFETY: both ranges were checked, so `len` elements are there, and `len` is a `usize`.
    unsafe { ptr::copy(source, target, len as usize) };
    Ok(())
}

/// `elem.drop`.
///
/// # Safety
/// `instance` is valid, and `elem` is of its module.
pub(crate) unsafe fn elem_drop(instance: *mut InstanceObj, elem: u32) {
    // SAFETY: the caller promises that the instance is valid; only this list is borrowed for a change.
    let (module, dropped) = unsafe { (&(*instance).module, &mut (*instance).dropped_elems) };
    if let Some((number, _)) = module.inner().passive_elems().get(elem) {
        set(dropped, number);
    }
}

/// `memory.init` of memory 0: checks `len` bytes, and writes the first `count` of them.
///
/// # Safety
/// `instance` is valid, the index is of its module, and nobody holds references to its memories.
pub(crate) unsafe fn memory_init(
    instance: *mut InstanceObj,
    data: u32,
    [dst, src, len]: [u64; 3],
    count: u64,
) -> Result<(), Trap> {
    // SAFETY: the caller promises that the instance is valid; its lists do not change here.
    let instance = unsafe { &*instance };
    let module = instance.module.inner();
    // Active segments are dropped from the start, and dropped ones have no bytes.
    let passive = module.passive_data().get(data);
    let range = passive.filter(|(number, _)| !is_set(&instance.dropped_data, *number));
    let bytes = range.map_or(&[][..], |(_, range)| range.of(module.bytes()));
    // SAFETY: the caller promises that the memory is not borrowed.
    let memory = unsafe { &mut *instance.memories[0] };
    let source = checked_range(src, len, bytes.len()).ok_or(Trap::MemoryOutOfBounds)?;
    let (target, source) = (memory.range(dst, len)?, &bytes[source]);
    let count = count.min(len) as usize;
    target[..count].copy_from_slice(&source[..count]);
    Ok(())
}

/// `data.drop`.
///
/// # Safety
/// `instance` is valid, and `data` is of its module.
pub(crate) unsafe fn data_drop(instance: *mut InstanceObj, data: u32) {
    // SAFETY: the caller promises that the instance is valid; only this list is borrowed for a change.
    let (module, dropped) = unsafe { (&(*instance).module, &mut (*instance).dropped_data) };
    if let Some((number, _)) = module.inner().passive_data().get(data) {
        set(dropped, number);
    }
}

fn is_set(bits: &[u32], bit: usize) -> bool {
    bits[bit / 32] >> (bit % 32) & 1 != 0
}

fn set(bits: &mut [u32], bit: usize) {
    bits[bit / 32] |= 1 << (bit % 32);
}
