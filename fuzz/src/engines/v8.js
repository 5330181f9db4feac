// Runs modules in V8 for `v8.rs`: reads a query of JSON from every line, answers with a line of JSON.
'use strict';
const readline = require('readline').createInterface({ input: process.stdin });

const f32 = new Float32Array(1);
const u32 = new Uint32Array(f32.buffer);
const f64 = new Float64Array(1);
const u64 = new BigUint64Array(f64.buffer);

const host = {
  h0: a => (Math.imul(a, 3) + 1) | 0,
  h1: (a, b, c) => [BigInt.asIntN(64, c - BigInt(b)), a],
};

// A value as hexadecimal bits. JavaScript does not keep the bits of a NaN, so these are `nan32` and `nan64`.
function bits(value, type) {
  switch (type) {
    case 'i32': return (value >>> 0).toString(16);
    case 'i64': return BigInt.asUintN(64, value).toString(16);
    case 'f32':
      if (Number.isNaN(value)) return 'nan32';
      f32[0] = value;
      return u32[0].toString(16);
    case 'f64':
      if (Number.isNaN(value)) return 'nan64';
      f64[0] = value;
      return u64[0].toString(16);
    default: return value === null ? '0' : '1';
  }
}

function argument(bits, type) {
  const number = BigInt('0x' + bits);
  switch (type) {
    case 'i32': return Number(BigInt.asIntN(32, number));
    case 'i64': return BigInt.asIntN(64, number);
    case 'f32':
      u32[0] = Number(number);
      return f32[0];
    case 'f64':
      u64[0] = number;
      return f64[0];
    default: return null;
  }
}

// The class of a trap. Two of V8's messages stand for two traps each: `truncation` and `signature`.
function trapClass(error) {
  if (error instanceof RangeError) return 'StackOverflow';
  const message = error.message;
  if (/unreachable/.test(message)) return 'UnreachableCodeReached';
  if (/memory access|data segment/.test(message)) return 'memory';
  if (/by zero/.test(message)) return 'IntegerDivisionByZero';
  if (/divide result/.test(message)) return 'IntegerOverflow';
  if (/float unrepresentable/.test(message)) return 'truncation';
  if (/signature mismatch/.test(message)) return 'signature';
  if (/table|element segment/.test(message)) return 'table';
  return 'other: ' + message;
}

function call(callee, types, results, args) {
  try {
    let values = callee(...args.map((bits, index) => argument(bits, types[index])));
    if (results.length === 0) values = [];
    if (results.length === 1) values = [values];
    return { returned: [...values].map((value, index) => bits(value, results[index])) };
  } catch (error) {
    return { trapped: trapClass(error) };
  }
}

function hashes(memory) {
  const bytes = new Uint8Array(memory.buffer);
  const list = [];
  for (let block = 0; block < bytes.length; block += 4096) {
    let hash = 0x811c9dc5;
    for (let at = block; at < block + 4096; at++) hash = Math.imul(hash ^ bytes[at], 0x01000193);
    list.push((hash >>> 0).toString(16));
  }
  return list;
}

function run(query) {
  const answer = { start: { returned: [] }, calls: [], globals: [], memory: [], exhausted: false };
  let module, exported;
  try {
    module = new WebAssembly.Module(Buffer.from(query.wasm, 'hex'));
    exported = new WebAssembly.Instance(module, { h: host }).exports;
  } catch (error) {
    answer.start = { trapped: trapClass(error) };
    return answer;
  }
  const names = WebAssembly.Module.exports(module).map(descriptor => descriptor.name);
  const export_ = index => exported[names[index]];
  for (const { index, parameters, results, rounds } of query.functions) {
    for (const args of rounds) {
      if (query.reset !== null) export_(query.reset)();
      const ending = call(export_(index), parameters, results, args);
      answer.calls.push(ending);
      if (ending.trapped === 'StackOverflow') {
        answer.exhausted = true;
        return answer;
      }
    }
  }
  for (const { index, type } of query.globals) answer.globals.push(bits(export_(index).value, type));
  if (query.memory !== null) answer.memory = hashes(export_(query.memory));
  return answer;
}

readline.on('line', line => console.log(JSON.stringify(run(JSON.parse(line)))));
