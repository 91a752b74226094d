// Mouse, touch and keyboard on the roll: they choose bars, move the play-head and zoom.

/** Connect the roll to a selection. `told` is called with what happened: choose, seek, cursor. */
export function listen(roll, selection, told) {
  pointer(roll, selection, told);
  keyboard(roll, selection, told);
  wheel(roll);
  overview(roll);
}

function pointer(roll, selection, told) {
  const { canvas } = roll;
  let from = null;
  const cell = (event) => {
    const box = canvas.getBoundingClientRect();
    return roll.cellAt(event.clientX - box.left, event.clientY - box.top);
  };
  const choose = (to) => {
    const whole = from[0] < 0; // begun on the ruler: every track
    const last = roll.song.tracks.length - 1;
    selection.rectangle([whole ? 0 : from[0], from[1]], [whole ? last : Math.max(0, to[0]), to[1]]);
    roll.cursor = [Math.max(0, to[0]), to[1]];
    told("choose");
  };

  canvas.addEventListener("pointerdown", (event) => {
    if (!roll.song || event.button !== 0 || event.pointerType === "touch") return;
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    if (event.ctrlKey || event.metaKey) selection.hold();
    else if (selection.more && !event.shiftKey) selection.release();
    const at = cell(event);
    from = event.shiftKey && selection.anchor ? selection.anchor : at;
    if (at[0] < 0) told("seek", (event.clientX - canvas.getBoundingClientRect().left + roll.scroller.scrollLeft) / roll.scale);
    choose(at);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (from && event.pointerType !== "touch") choose(cell(event));
  });
  for (const end of ["pointerup", "pointercancel"])
    canvas.addEventListener(end, () => {
      selection.more = Boolean(from);
      from = null;
    });

  // Touch scrolls; a tap chooses a bar, a second tap extends to another, a third begins anew.
  let taps = 0;
  canvas.addEventListener("click", (event) => {
    if (event.pointerType !== "touch" || !roll.song) return;
    const at = cell(event);
    from = taps % 2 && selection.anchor && !(selection.held && !selection.more) ? selection.anchor : at;
    if (from === at && selection.more) selection.release();
    taps = from === at ? 1 : 0;
    choose(at);
    selection.more = true;
    from = null;
  });
}

const MOVES = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

function keyboard(roll, selection, told) {
  const { canvas } = roll;
  canvas.addEventListener("keydown", (event) => {
    if (!roll.song || event.ctrlKey || event.metaKey || event.altKey) return;
    const last = [roll.song.tracks.length - 1, roll.song.bars.length - 1];
    const now = roll.cursor ?? [0, 0];
    let next = null;
    if (MOVES[event.key]) next = now.map((place, i) => Math.min(last[i], Math.max(0, place + MOVES[event.key][i])));
    else if (event.key === "Home") next = [now[0], 0];
    else if (event.key === "End") next = [now[0], last[1]];
    else if (event.key === "PageDown") next = [now[0], Math.min(last[1], now[1] + 8)];
    else if (event.key === "PageUp") next = [now[0], Math.max(0, now[1] - 8)];
    else return;
    event.preventDefault();
    selection.rectangle(event.shiftKey && selection.anchor ? selection.anchor : next, next);
    roll.cursor = next;
    roll.reveal(next);
    told("choose");
  });
  canvas.addEventListener("focus", () => {
    roll.cursor ??= [0, 0];
    told("cursor");
  });
  canvas.addEventListener("blur", () => roll.draw());
}

function wheel(roll) {
  roll.scroller.addEventListener(
    "wheel",
    (event) => {
      if (!(event.ctrlKey || event.metaKey) || !roll.song) return;
      event.preventDefault();
      roll.zoom(Math.exp(-event.deltaY / 300), event.clientX - roll.scroller.getBoundingClientRect().left);
    },
    { passive: false },
  );
}

function overview(roll) {
  const move = (event) => {
    if (!roll.song || !(event.buttons & 1)) return;
    const box = roll.overview.getBoundingClientRect();
    const at = ((event.clientX - box.left) / box.width) * roll.song.end;
    roll.scroller.scrollLeft = at * roll.scale - roll.scroller.clientWidth / 2;
  };
  roll.overview.addEventListener("pointerdown", (event) => {
    roll.overview.setPointerCapture(event.pointerId);
    move(event);
  });
  roll.overview.addEventListener("pointermove", move);
}
