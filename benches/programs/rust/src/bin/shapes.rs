//! Dynamic dispatch: a scene of shapes behind `dyn` traits, drawn by ray casting, sorted and folded by boxed closures.

use programs::{Noise, Sum, amount};

#[derive(Copy, Clone)]
struct Vector(f64, f64, f64);

impl Vector {
    fn dot(self, o: Self) -> f64 {
        self.0 * o.0 + self.1 * o.1 + self.2 * o.2
    }
    fn minus(self, o: Self) -> Self {
        Self(self.0 - o.0, self.1 - o.1, self.2 - o.2)
    }
    fn times(self, by: f64) -> Self {
        Self(self.0 * by, self.1 * by, self.2 * by)
    }
    fn plus(self, o: Self) -> Self {
        Self(self.0 + o.0, self.1 + o.1, self.2 + o.2)
    }
    fn unit(self) -> Self {
        self.times(1.0 / self.dot(self).sqrt())
    }
}

trait Shape {
    fn area(&self) -> f64;
    fn name(&self) -> &'static str;
    fn grow(&mut self, by: f64);
    /// The distance along the ray at which it meets the shape.
    fn hit(&self, from: Vector, towards: Vector) -> Option<f64>;
    fn normal(&self, at: Vector) -> Vector;
}

struct Sphere {
    centre: Vector,
    radius: f64,
}

impl Shape for Sphere {
    fn area(&self) -> f64 {
        4.0 * std::f64::consts::PI * self.radius * self.radius
    }
    fn name(&self) -> &'static str {
        "sphere"
    }
    fn grow(&mut self, by: f64) {
        self.radius *= by;
    }
    fn hit(&self, from: Vector, towards: Vector) -> Option<f64> {
        let way = from.minus(self.centre);
        let b = way.dot(towards);
        let square = b * b - way.dot(way) + self.radius * self.radius;
        if square < 0.0 {
            return None;
        }
        Some(-b - square.sqrt()).filter(|&t| t > 1e-6)
    }
    fn normal(&self, at: Vector) -> Vector {
        at.minus(self.centre).unit()
    }
}

struct Plane {
    normal: Vector,
    offset: f64,
}

impl Shape for Plane {
    fn area(&self) -> f64 {
        f64::INFINITY
    }
    fn name(&self) -> &'static str {
        "plane"
    }
    fn grow(&mut self, by: f64) {
        self.offset *= by;
    }
    fn hit(&self, from: Vector, towards: Vector) -> Option<f64> {
        let slope = self.normal.dot(towards);
        if slope.abs() < 1e-9 {
            return None;
        }
        Some((self.offset - self.normal.dot(from)) / slope).filter(|&t| t > 1e-6)
    }
    fn normal(&self, _: Vector) -> Vector {
        self.normal
    }
}

struct Cuboid {
    low: Vector,
    high: Vector,
}

impl Shape for Cuboid {
    fn area(&self) -> f64 {
        let Vector(a, b, c) = self.high.minus(self.low);
        2.0 * (a * b + b * c + a * c)
    }
    fn name(&self) -> &'static str {
        "cuboid"
    }
    fn grow(&mut self, by: f64) {
        self.high = self.low.plus(self.high.minus(self.low).times(by));
    }
    fn hit(&self, from: Vector, towards: Vector) -> Option<f64> {
        let (mut near, mut far) = (f64::NEG_INFINITY, f64::INFINITY);
        for (low, high, from, towards) in [
            (self.low.0, self.high.0, from.0, towards.0),
            (self.low.1, self.high.1, from.1, towards.1),
            (self.low.2, self.high.2, from.2, towards.2),
        ] {
            let (a, b) = ((low - from) / towards, (high - from) / towards);
            near = near.max(a.min(b));
            far = far.min(a.max(b));
        }
        (near <= far && near > 1e-6).then_some(near)
    }
    fn normal(&self, at: Vector) -> Vector {
        let middle = self.low.plus(self.high).times(0.5);
        let half = self.high.minus(middle);
        let Vector(x, y, z) = at.minus(middle);
        let (x, y, z) = (x / half.0, y / half.1, z / half.2);
        if x.abs() > y.abs() && x.abs() > z.abs() {
            Vector(x.signum(), 0.0, 0.0)
        } else if y.abs() > z.abs() {
            Vector(0.0, y.signum(), 0.0)
        } else {
            Vector(0.0, 0.0, z.signum())
        }
    }
}

fn scene(noise: &mut Noise) -> Vec<Box<dyn Shape>> {
    let mut unit = || f64::from(noise.next() >> 8) / f64::from(1 << 24);
    let mut shapes: Vec<Box<dyn Shape>> = vec![Box::new(Plane {
        normal: Vector(0.0, 1.0, 0.0),
        offset: -2.0,
    })];
    for i in 0..12 {
        let at = Vector(unit() * 6.0 - 3.0, unit() * 4.0 - 2.0, 4.0 + unit() * 5.0);
        if i % 3 == 0 {
            let high = at.plus(Vector(unit() + 0.1, unit() + 0.1, unit() + 0.1));
            shapes.push(Box::new(Cuboid { low: at, high }));
        } else {
            shapes.push(Box::new(Sphere {
                centre: at,
                radius: 0.2 + unit() * 0.6,
            }));
        }
    }
    shapes
}

fn nearest<'a>(
    shapes: &'a [Box<dyn Shape>],
    from: Vector,
    towards: Vector,
) -> Option<(f64, &'a dyn Shape)> {
    let mut best: Option<(f64, &dyn Shape)> = None;
    for shape in shapes {
        if let Some(t) = shape.hit(from, towards)
            && best.is_none_or(|(least, _)| t < least)
        {
            best = Some((t, shape.as_ref()));
        }
    }
    best
}

fn draw(shapes: &[Box<dyn Shape>], sum: &mut Sum) {
    let light = Vector(-0.5, 0.8, -0.6).unit();
    for y in 0..40 {
        for x in 0..40 {
            let towards = Vector(f64::from(x) / 20.0 - 1.0, 1.0 - f64::from(y) / 20.0, 2.0).unit();
            let from = Vector(0.0, 0.0, -1.0);
            let shade = match nearest(shapes, from, towards) {
                None => 0.1,
                Some((t, shape)) => {
                    let at = from.plus(towards.times(t));
                    let bright = shape.normal(at).dot(light).max(0.0);
                    let shadow = nearest(shapes, at.plus(light.times(1e-3)), light).is_some();
                    0.2 + if shadow { 0.0 } else { bright * 0.8 }
                }
            };
            sum.add(&[(shade * 255.0) as u8]);
        }
    }
}

fn main() {
    let times = amount(180);
    let (mut noise, mut sum) = (Noise::new(), Sum::new());
    let folds: Vec<Box<dyn Fn(f64, &dyn Shape) -> f64>> = vec![
        Box::new(|total, shape| total + shape.area().min(100.0)),
        Box::new(|total, shape| total.max(shape.area().min(50.0))),
        Box::new(|total, shape| total + shape.name().len() as f64),
    ];
    for turn in 0..times {
        let mut shapes = scene(&mut noise);
        draw(&shapes, &mut sum);
        for step in 0..40 {
            for shape in &mut shapes {
                shape.grow(if (step + turn) % 2 == 0 { 1.05 } else { 0.97 });
            }
            shapes.sort_by(|a, b| a.area().total_cmp(&b.area()));
            for fold in &folds {
                let total = shapes.iter().fold(0.0, |total, shape| fold(total, shape.as_ref()));
                sum.number((total * 1e6) as u64);
            }
        }
    }
    println!("shapes {times}: {:016x}", sum.0);
}
