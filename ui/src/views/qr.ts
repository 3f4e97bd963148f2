// A QR code as one SVG path, a unit a module. In a file of its own, loaded when one is shown.

import { generate } from 'lean-qr/nano';

export interface QrPath {
  path: string;
  /** Modules a side, without the quiet zone. */
  size: number;
}

export function qrPath(address: string): QrPath {
  const code = generate(address);
  let path = '';
  for (let y = 0; y < code.size; y += 1) {
    for (let x = 0; x < code.size; x += 1) {
      if (!code.get(x, y)) continue;
      let end = x;
      while (code.get(end, y)) end += 1;
      path += `M${x} ${y}h${end - x}v1h${x - end}z`;
      x = end;
    }
  }
  return { path, size: code.size };
}
