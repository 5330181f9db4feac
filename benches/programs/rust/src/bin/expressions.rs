//! Expressions: a tokenizer and a precedence parser for a small language with variables, calls and conditions; its tree
//! is simplified, printed, evaluated with exact fractions, and differentiated.

use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use programs::{Noise, Sum, amount};

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Number(i64),
    Name(String),
    Symbol(char),
    End,
}

struct Lexer<'a> {
    text: std::iter::Peekable<std::str::Chars<'a>>,
}

impl Lexer<'_> {
    fn next(&mut self) -> Result<Token, String> {
        while self.text.next_if(|c| c.is_whitespace()).is_some() {}
        let Some(c) = self.text.next() else {
            return Ok(Token::End);
        };
        if let Some(first) = c.to_digit(10) {
            let mut value = i64::from(first);
            while let Some(digit) = self.text.peek().and_then(|c| c.to_digit(10)) {
                value = value * 10 + i64::from(digit);
                self.text.next();
            }
            Ok(Token::Number(value))
        } else if c.is_alphabetic() {
            let mut name = c.to_string();
            while let Some(c) = self.text.next_if(|c| c.is_alphanumeric()) {
                name.push(c);
            }
            Ok(Token::Name(name))
        } else if "+-*/()?:<,^".contains(c) {
            Ok(Token::Symbol(c))
        } else {
            Err(format!("what is `{c}`?"))
        }
    }
}

#[derive(Clone)]
enum Expression {
    Number(Fraction),
    Variable(String),
    Binary(char, Rc<Expression>, Rc<Expression>),
    Negative(Rc<Expression>),
    Choose(Rc<Expression>, Rc<Expression>, Rc<Expression>),
    Call(String, Vec<Rc<Expression>>),
}

#[derive(Copy, Clone, PartialEq)]
struct Fraction {
    top: i64,
    bottom: i64,
}

impl Fraction {
    /// Kept small by rounding, so that nothing overflows: the numbers are test data.
    fn new(mut top: i64, mut bottom: i64) -> Self {
        if bottom == 0 {
            return Self { top: 0, bottom: 1 };
        }
        let (mut a, mut b) = (top.unsigned_abs(), bottom.unsigned_abs());
        while b != 0 {
            (a, b) = (b, a % b);
        }
        let divisor = a.max(1) as i64 * bottom.signum();
        top /= divisor;
        bottom /= divisor;
        while top.abs() > 1 << 28 || bottom > 1 << 28 {
            top >>= 1;
            bottom = (bottom >> 1).max(1);
        }
        Self { top, bottom }
    }

    fn apply(self, operator: char, o: Self) -> Self {
        match operator {
            '+' => Self::new(self.top * o.bottom + o.top * self.bottom, self.bottom * o.bottom),
            '-' => Self::new(self.top * o.bottom - o.top * self.bottom, self.bottom * o.bottom),
            '*' => Self::new(self.top * o.top, self.bottom * o.bottom),
            '/' => Self::new(self.top * o.bottom, self.bottom * o.top),
            '<' => Self::new(i64::from(self.top * o.bottom < o.top * self.bottom), 1),
            _ => (0..o.top.clamp(0, 6)).fold(Self::new(1, 1), |power, _| power.apply('*', self)),
        }
    }
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    token: Token,
}

impl<'a> Parser<'a> {
    fn parse(text: &'a str) -> Result<Expression, String> {
        let mut lexer = Lexer { text: text.chars().peekable() };
        let token = lexer.next()?;
        let mut parser = Self { lexer, token };
        let expression = parser.choice()?;
        match parser.token {
            Token::End => Ok(expression),
            token => Err(format!("{token:?} after the end")),
        }
    }

    fn advance(&mut self) -> Result<Token, String> {
        let next = self.lexer.next()?;
        Ok(std::mem::replace(&mut self.token, next))
    }

    fn expect(&mut self, symbol: char) -> Result<(), String> {
        match self.advance()? {
            Token::Symbol(c) if c == symbol => Ok(()),
            other => Err(format!("`{symbol}` expected, not {other:?}")),
        }
    }

    fn choice(&mut self) -> Result<Expression, String> {
        let condition = self.binary(0)?;
        if self.token != Token::Symbol('?') {
            return Ok(condition);
        }
        self.advance()?;
        let yes = self.choice()?;
        self.expect(':')?;
        let no = self.choice()?;
        Ok(Expression::Choose(condition.into(), yes.into(), no.into()))
    }

    fn binary(&mut self, least: u8) -> Result<Expression, String> {
        let mut left = self.unary()?;
        while let Token::Symbol(operator) = self.token {
            let level = match operator {
                '<' => 1,
                '+' | '-' => 2,
                '*' | '/' => 3,
                '^' => 4,
                _ => break,
            };
            if level < least {
                break;
            }
            self.advance()?;
            let right = self.binary(if operator == '^' { level } else { level + 1 })?;
            left = Expression::Binary(operator, left.into(), right.into());
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expression, String> {
        match self.advance()? {
            Token::Number(value) => Ok(Expression::Number(Fraction::new(value, 1))),
            Token::Symbol('-') => Ok(Expression::Negative(self.unary()?.into())),
            Token::Symbol('(') => {
                let inner = self.choice()?;
                self.expect(')')?;
                Ok(inner)
            }
            Token::Name(name) if self.token == Token::Symbol('(') => {
                self.advance()?;
                let mut arguments = vec![self.choice()?.into()];
                while self.token == Token::Symbol(',') {
                    self.advance()?;
                    arguments.push(self.choice()?.into());
                }
                self.expect(')')?;
                Ok(Expression::Call(name, arguments))
            }
            Token::Name(name) => Ok(Expression::Variable(name)),
            other => Err(format!("a value expected, not {other:?}")),
        }
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(Fraction { top, bottom: 1 }) => write!(f, "{top}"),
            Self::Number(Fraction { top, bottom }) => write!(f, "({top} / {bottom})"),
            Self::Variable(name) => f.write_str(name),
            Self::Binary(operator, a, b) => write!(f, "({a} {operator} {b})"),
            Self::Negative(a) => write!(f, "-{a}"),
            Self::Choose(c, a, b) => write!(f, "({c} ? {a} : {b})"),
            Self::Call(name, arguments) => {
                write!(f, "{name}(")?;
                for (i, argument) in arguments.iter().enumerate() {
                    write!(f, "{}{argument}", if i == 0 { "" } else { ", " })?;
                }
                f.write_str(")")
            }
        }
    }
}

type Variables = BTreeMap<String, Fraction>;

impl Expression {
    fn value(&self, variables: &Variables) -> Result<Fraction, String> {
        Ok(match self {
            Self::Number(value) => *value,
            Self::Variable(name) => *variables.get(name).ok_or_else(|| format!("no `{name}`"))?,
            Self::Binary(operator, a, b) => a.value(variables)?.apply(*operator, b.value(variables)?),
            Self::Negative(a) => Fraction::new(0, 1).apply('-', a.value(variables)?),
            Self::Choose(c, a, b) => {
                let chosen = if c.value(variables)?.top != 0 { a } else { b };
                chosen.value(variables)?
            }
            Self::Call(name, arguments) => {
                let mut values = Vec::with_capacity(arguments.len());
                for argument in arguments {
                    values.push(argument.value(variables)?);
                }
                let less = |a: &Fraction, b: &Fraction| a.apply('<', *b).top != 0;
                match name.as_str() {
                    "max" => values.into_iter().reduce(|a, b| if less(&a, &b) { b } else { a }),
                    "min" => values.into_iter().reduce(|a, b| if less(&b, &a) { b } else { a }),
                    "sum" => values.into_iter().reduce(|a, b| a.apply('+', b)),
                    _ => None,
                }
                .ok_or_else(|| format!("no function `{name}`"))?
            }
        })
    }

    /// The derivative by a variable; functions are taken as constants.
    fn derivative(&self, by: &str) -> Self {
        let number = |value| Self::Number(Fraction::new(value, 1));
        let binary = |operator, a: Self, b: Self| Self::Binary(operator, a.into(), b.into());
        match self {
            Self::Number(_) | Self::Call(..) => number(0),
            Self::Variable(name) => number(i64::from(name == by)),
            Self::Negative(a) => Self::Negative(a.derivative(by).into()),
            Self::Choose(c, a, b) => {
                Self::Choose(c.clone(), a.derivative(by).into(), b.derivative(by).into())
            }
            Self::Binary(operator @ ('+' | '-'), a, b) => {
                binary(*operator, a.derivative(by), b.derivative(by))
            }
            Self::Binary('*', a, b) => binary(
                '+',
                binary('*', a.derivative(by), (**b).clone()),
                binary('*', (**a).clone(), b.derivative(by)),
            ),
            Self::Binary('/', a, b) => binary(
                '/',
                binary(
                    '-',
                    binary('*', a.derivative(by), (**b).clone()),
                    binary('*', (**a).clone(), b.derivative(by)),
                ),
                binary('*', (**b).clone(), (**b).clone()),
            ),
            Self::Binary('^', a, b) => binary(
                '*',
                binary('*', (**b).clone(), binary('^', (**a).clone(), binary('-', (**b).clone(), number(1)))),
                a.derivative(by),
            ),
            Self::Binary(..) => number(0),
        }
    }

    fn simple(self: &Rc<Self>) -> Rc<Self> {
        let is = |e: &Self, value| matches!(e, Self::Number(n) if *n == Fraction::new(value, 1));
        match &**self {
            Self::Number(_) | Self::Variable(_) => self.clone(),
            Self::Negative(a) => match &*a.simple() {
                Self::Number(n) => Self::Number(Fraction::new(-n.top, n.bottom)).into(),
                Self::Negative(inner) => inner.clone(),
                other => Self::Negative(other.clone().into()).into(),
            },
            Self::Choose(c, a, b) => {
                let condition = c.simple();
                match &*condition {
                    Self::Number(n) => if n.top != 0 { a } else { b }.simple(),
                    _ => Self::Choose(condition, a.simple(), b.simple()).into(),
                }
            }
            Self::Call(name, arguments) => {
                Self::Call(name.clone(), arguments.iter().map(Self::simple).collect()).into()
            }
            Self::Binary(operator, a, b) => {
                let (a, b) = (a.simple(), b.simple());
                match (operator, &*a, &*b) {
                    (_, Self::Number(x), Self::Number(y)) => Self::Number(x.apply(*operator, *y)).into(),
                    ('+', x, _) if is(x, 0) => b,
                    ('+' | '-', _, y) if is(y, 0) => a,
                    ('*', x, y) if is(x, 0) || is(y, 0) => Self::Number(Fraction::new(0, 1)).into(),
                    ('*', x, _) if is(x, 1) => b,
                    ('*' | '/' | '^', _, y) if is(y, 1) => a,
                    _ => Self::Binary(*operator, a, b).into(),
                }
            }
        }
    }
}

fn random(noise: &mut Noise, depth: u32, out: &mut String) {
    if depth == 0 {
        match noise.below(3) {
            0 => out.push_str(["x", "y", "speed", "n1"][noise.below(4) as usize]),
            _ => out.push_str(&noise.below(30).to_string()),
        }
        return;
    }
    match noise.below(8) {
        0 => {
            out.push_str(["max(", "min(", "sum("][noise.below(3) as usize]);
            for i in 0..1 + noise.below(3) {
                if i > 0 {
                    out.push_str(", ");
                }
                random(noise, depth - 1, out);
            }
            out.push(')');
        }
        1 => {
            out.push('(');
            random(noise, depth - 1, out);
            out.push_str(" < 7 ? ");
            random(noise, depth - 1, out);
            out.push_str(" : ");
            random(noise, depth - 1, out);
            out.push(')');
        }
        2 => {
            out.push_str("-(");
            random(noise, depth - 1, out);
            out.push_str(") ^ 2");
        }
        _ => {
            random(noise, depth - 1, out);
            out.push_str([" + ", " - ", " * ", " / "][noise.below(4) as usize]);
            random(noise, depth - 1, out);
        }
    }
}

fn run(times: u32) -> Result<u64, String> {
    let (mut noise, mut sum) = (Noise::new(), Sum::new());
    let mut text = String::new();
    for turn in 0..times {
        text.clear();
        random(&mut noise, 6, &mut text);
        let tree = Rc::new(Parser::parse(&text)?);
        let simple = tree.simple();
        let slope = Rc::new(simple.derivative("x")).simple();
        let printed = slope.to_string();
        sum.add(printed.as_bytes());
        let mut variables = Variables::new();
        for (i, name) in ["x", "y", "speed", "n1"].into_iter().enumerate() {
            variables.insert(name.to_owned(), Fraction::new(i64::from(turn) + i as i64, 3));
        }
        for step in 0..3 {
            variables.insert("x".to_owned(), Fraction::new(step, 2));
            let (a, b) = (tree.value(&variables)?, slope.value(&variables)?);
            sum.number((a.top ^ b.top) as u64);
            sum.number((a.bottom ^ b.bottom) as u64);
        }
        let again = Parser::parse(&tree.to_string())?;
        sum.number((again.to_string() == tree.to_string()).into());
    }
    Ok(sum.0)
}

fn main() {
    let times = amount(600);
    match run(times) {
        Ok(sum) => println!("expressions {times}: {sum:016x}"),
        Err(message) => println!("expressions: {message}"),
    }
}
