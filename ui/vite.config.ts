import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

/**
 * Vite wraps every lazy import in a helper that preloads styles and scripts. All our styles come with the
 * page and no part has parts of its own, so that its 0.7 kB would do nothing.
 */
const plainImports: Plugin = {
  name: 'plain-imports',
  enforce: 'pre',
  apply: 'build',
  load: (id) => (id === '\0vite/preload-helper.js' ? 'export const __vitePreload = (load) => load();' : null),
};

/**
 * What is always loaded together is one file. Left to itself the bundler puts `wire` into a file of its own,
 * which the first page would ask for only once it has read the other.
 */
const GROUPS = [
  { name: 'first', test: /src.(?:main\.tsx|api.wire\.ts)$/u },
  { name: 'logins', test: /src.(?:api.(?:login|wire-login)|state.(?:logins|session))\.ts$/u },
];

export default defineConfig({
  plugins: [plainImports],
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    // The gate builds elsewhere, to compare.
    outDir: process.env['UI_OUT_DIR'] ?? '../ui-dist',
    emptyOutDir: true,
    target: 'es2022',
    // The first browsers with `light-dark()`; without this it would be written out at twice the size.
    cssTarget: ['chrome123', 'safari17.5', 'firefox120'],
    // An inlined asset would be a `data:` address, which our policy allows for pictures only.
    assetsInlineLimit: 0,
    minify: 'terser',
    terserOptions: { module: true, ecma: 2020, compress: { passes: 3 }, format: { comments: false } },
    modulePreload: false,
    cssCodeSplit: false,
    reportCompressedSize: false,
    rolldownOptions: {
      input: ['index.html', 'src/sw.ts'],
      output: {
        codeSplitting: { groups: GROUPS },
        // The worker's address is part of what browsers remember.
        entryFileNames: ({ name }) => (name === 'sw' ? 'sw.js' : 'assets/[name]-[hash].js'),
      },
    },
  },
  test: { environment: 'node', include: ['src/**/*.test.{ts,tsx}'], restoreMocks: true },
});
