//! Where the stages stand on the drawing, and the lines between them.

use crate::words::page;

/// A place on the drawing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spot {
    Arrives,
    Ingress,
    Prerouting,
    RoutingIn,
    Input,
    Socket,
    Forward,
    Sends,
    RoutingOut,
    Output,
    Postrouting,
    Egress,
    Leaves,
}

/// What comes in, from top to bottom.
const IN: [Spot; 6] = [
    Spot::Arrives,
    Spot::Ingress,
    Spot::Prerouting,
    Spot::RoutingIn,
    Spot::Input,
    Spot::Socket,
];

/// What goes out, likewise.
const OUT: [Spot; 6] = [
    Spot::Sends,
    Spot::RoutingOut,
    Spot::Output,
    Spot::Postrouting,
    Spot::Egress,
    Spot::Leaves,
];

const WIDTH: i32 = 356;
const IN_X: i32 = 62;
const FORWARD_X: i32 = 178;
const OUT_X: i32 = 294;
/// Between the two columns, left of FORWARD.
const LOOP_X: i32 = 129;
const TOP: i32 = 44;
const STEP: i32 = 58;

impl Spot {
    /// What a place is called that no packet came to.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Arrives | Self::Leaves => page::AN_INTERFACE,
            Self::Ingress => "INGRESS",
            Self::Prerouting => "PREROUTING",
            Self::RoutingIn | Self::RoutingOut => "routing",
            Self::Input => "INPUT",
            Self::Socket => page::A_SOCKET,
            Self::Forward => "FORWARD",
            Self::Sends => page::A_PROCESS,
            Self::Output => "OUTPUT",
            Self::Postrouting => "POSTROUTING",
            Self::Egress => "EGRESS",
        }
    }

    /// Width and height.
    pub(super) fn size(self) -> (i32, i32) {
        match self {
            Self::Forward => (82, 34),
            _ => (116, 34),
        }
    }

    /// Whether a way begins or ends here.
    pub(super) fn is_end(self) -> bool {
        matches!(
            self,
            Self::Arrives | Self::Socket | Self::Sends | Self::Leaves
        )
    }

    /// Rules stand here so seldom that it is drawn only where some did something.
    fn is_rare(self) -> bool {
        matches!(self, Self::Ingress | Self::Egress)
    }
}

/// The two columns.
pub(super) struct Layout {
    incoming: Vec<Spot>,
    outgoing: Vec<Spot>,
}

impl Layout {
    /// Leaves out rare places that the packet did not come to.
    pub(super) fn with(is_visited: impl Fn(Spot) -> bool) -> Self {
        let keep = |spot: &Spot| !spot.is_rare() || is_visited(*spot);
        Self {
            incoming: IN.into_iter().filter(keep).collect(),
            outgoing: OUT.into_iter().filter(keep).collect(),
        }
    }

    /// Width and height of the drawing.
    pub(super) fn size(&self) -> (i32, i32) {
        let rows = self.incoming.len().max(self.outgoing.len());
        let rows = i32::try_from(rows).unwrap_or(0);
        (WIDTH, TOP + (rows - 1) * STEP + 36)
    }

    /// Every place that is drawn.
    pub(super) fn spots(&self) -> impl Iterator<Item = Spot> {
        let columns = self.incoming.iter().chain(&self.outgoing);
        columns.copied().chain([Spot::Forward])
    }

    /// The middle of a place.
    pub(super) fn center(&self, spot: Spot) -> (i32, i32) {
        if spot == Spot::Forward {
            let (_, y) = self.center(Spot::RoutingIn);
            return (FORWARD_X, y);
        }
        let row = |column: &[Spot]| column.iter().position(|&known| known == spot);
        let (x, row) = match row(&self.incoming) {
            Some(row) => (IN_X, row),
            None => (OUT_X, row(&self.outgoing).unwrap_or(0)),
        };
        (x, TOP + i32::try_from(row).unwrap_or(0) * STEP)
    }

    /// The ways there are, but for that over `lo`.
    pub(super) fn ways(&self) -> Vec<(Spot, Spot)> {
        let pairs = |column: &[Spot]| -> Vec<(Spot, Spot)> {
            column.windows(2).map(|pair| (pair[0], pair[1])).collect()
        };
        let mut ways = pairs(&self.incoming);
        ways.extend(pairs(&self.outgoing));
        ways.push((Spot::RoutingIn, Spot::Forward));
        ways.push((Spot::Forward, Spot::Postrouting));
        ways
    }

    /// The line of a way, and the tip of its arrow.
    pub(super) fn way(&self, from: Spot, to: Spot) -> (String, String) {
        let ((x1, y1), (x2, y2)) = (self.center(from), self.center(to));
        let ((w1, h1), (w2, h2)) = (from.size(), to.size());
        match (from, to) {
            (Spot::Leaves, _) if x2 == IN_X => {
                let (start, end) = (x1 - w1 / 2, x2 + w2 / 2);
                let line = format!("M{start} {y1}H{LOOP_X}V{y2}H{}", end + 6);
                (line, tip((end, y2), (1, 0)))
            }
            _ if y1 == y2 => {
                let (start, end) = (x1 + w1 / 2, x2 - w2 / 2);
                let line = format!("M{start} {y1}H{}", end - 6);
                (line, tip((end, y2), (-1, 0)))
            }
            (Spot::Forward, _) => {
                let (start, end) = (y1 + h1 / 2, x2 - w2 / 2);
                let line = format!("M{x1} {start}V{y2}H{}", end - 6);
                (line, tip((end, y2), (-1, 0)))
            }
            _ => {
                let (start, end) = (y1 + h1 / 2, y2 - h2 / 2);
                let line = format!("M{x1} {start}V{}", end - 6);
                (line, tip((x2, end), (0, -1)))
            }
        }
    }
}

/// A triangle whose point is at `(x, y)`, and its other side in direction `(dx, dy)` of it.
fn tip((x, y): (i32, i32), (dx, dy): (i32, i32)) -> String {
    let (bx, by) = (x + dx * 8, y + dy * 8);
    let (sx, sy) = (dy * 4, dx * 4);
    format!("M{x} {y}L{} {}L{} {}Z", bx + sx, by + sy, bx - sx, by - sy)
}
