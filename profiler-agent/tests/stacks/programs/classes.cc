// C++ names: a namespace, a template, a method.
#include <unistd.h>

namespace app {
template <typename T> struct Store {
  __attribute__((noinline)) int keep(T value) {
    pause();
    return static_cast<int>(value) + 1;
  }
};
}  // namespace app

int main() {
  app::Store<unsigned long> store;
  return store.keep(4) + 1;
}
