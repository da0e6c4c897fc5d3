// The page's address carries the rig: #twin=nano&cabinet=1x12&Volume=7&Mid-Bite=2.5

/** @returns {{twin?: string, cabinet?: string, setting: Record<string, number>}} */
export function fromLink(hash) {
  const { twin, cabinet, ...knobs } = Object.fromEntries(new URLSearchParams(hash.slice(1)));
  const numbers = Object.entries(knobs).map(([name, value]) => [name, Number(value)]);
  return { twin, cabinet, setting: Object.fromEntries(numbers.filter(([, v]) => Number.isFinite(v))) };
}

export function toLink({ twin, cabinet, setting }) {
  const positions = Object.entries(setting).map(([name, value]) => [name, +value.toFixed(2)]);
  return `#${new URLSearchParams([['twin', twin], ['cabinet', cabinet], ...positions])}`;
}
