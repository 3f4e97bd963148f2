// Answers come late, out of order, and after what the live link has told meanwhile. Whether one still
// counts is decided here, for everything that a page asks for again and again.

export type Latest = ReturnType<typeof latest>;

/** One for each thing that is asked about. */
export function latest() {
  let asked = 0;
  let told = 0;
  return {
    /** Called with each question; what it gives is called with the answer, once, and says whether that counts. */
    ask(): () => boolean {
      asked += 1;
      const mine = asked;
      return () => {
        if (mine <= told) return false;
        told = mine;
        return true;
      };
    },

    /** Something newer is known than any answer that is still on its way. */
    told(): void {
      told = asked;
    },
  };
}
