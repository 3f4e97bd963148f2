// Storage that cannot fail: a browser may block it, or it may be full. Then what is kept lives as
// long as the page.

export interface StorageLike {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

export type SafeStorage = ReturnType<typeof safeStorage>;

/** `open` is called once; it may throw, as reading `window.localStorage` does where it is blocked. */
export function safeStorage(open: () => StorageLike | null) {
  const memory = new Map<string, string>();
  let backing: StorageLike | null = null;
  try {
    backing = open();
  } catch {
    backing = null;
  }
  return {
    get(key: string): string | null {
      try {
        return backing?.getItem(key) ?? memory.get(key) ?? null;
      } catch {
        return memory.get(key) ?? null;
      }
    },
    set(key: string, value: string): void {
      memory.set(key, value);
      try {
        backing?.setItem(key, value);
      } catch {
        // Kept in memory above.
      }
    },
    remove(key: string): void {
      memory.delete(key);
      try {
        backing?.removeItem(key);
      } catch {
        // Nothing was stored there.
      }
    },
  };
}
