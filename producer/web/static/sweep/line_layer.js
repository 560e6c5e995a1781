// A canvas of many lines, drawn for some milliseconds of each frame, so that a brush over thousands of them moves smoothly.

import { make } from "../lib/dom.js";

const BUDGET = 6, GROUP = 40;
// Prime, and larger than any sweep: the first lines that are drawn are from all over it.
const STRIDE = 104729;

/** One color of lines. */
export class LineLayer {
  constructor() {
    this.canvas = make("canvas", { "aria-hidden": "true" });
    this.frame = 0;
  }

  /**
   * Draw lines in place of those before.
   * @param {{width: number, height: number, stroke: string, alpha: number}} look the size in CSS pixels, and how lines look
   * @param {number[]} rows the rows that have a line
   * @param {function(CanvasRenderingContext2D, number): void} trace adds the line of a row to the path
   */
  draw({ width, height, stroke, alpha }, rows, trace) {
    const { canvas } = this, ratio = devicePixelRatio;
    cancelAnimationFrame(this.frame);
    canvas.style.width = `${width}px`;
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    Object.assign(context, { strokeStyle: stroke, globalAlpha: alpha, lineWidth: 1 });
    let next = 0;
    const some = () => {
      const until = performance.now() + BUDGET;
      while (next < rows.length && performance.now() < until) {
        // Where lines of several groups cross, the color is deeper.
        context.beginPath();
        for (const end = Math.min(rows.length, next + GROUP); next < end; next++) trace(context, rows[(next * STRIDE) % rows.length]);
        context.stroke();
      }
      if (next < rows.length) this.frame = requestAnimationFrame(some);
    };
    some();
  }
}
