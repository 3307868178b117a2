# Compiler flags by preset. PARLEY_SANITIZE is empty, "address,undefined" or "thread".
set(PARLEY_SANITIZE "" CACHE STRING "Sanitizers to build with")
option(PARLEY_FUZZ "Build the libFuzzer targets (clang)" OFF)
option(PARLEY_BENCH "Build the servers and loops that tools/bench compares with" OFF)

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

# -fno-strict-aliasing: intrusive lists reach the same node through the list and through the object
# around it; gcc 12 took that for two objects and hoisted the emptiness check out of a loop.
function(parley_flags target)
  target_compile_options(${target} PRIVATE
    -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith
    -Wno-unused-parameter -fno-strict-aliasing -fno-omit-frame-pointer -fvisibility=default)
  if(PARLEY_SANITIZE)
    target_compile_options(${target} PUBLIC -fsanitize=${PARLEY_SANITIZE} -fno-sanitize-recover=all)
    target_link_options(${target} PUBLIC -fsanitize=${PARLEY_SANITIZE})
  endif()
  if(PARLEY_FUZZ)
    target_compile_options(${target} PUBLIC -fsanitize=fuzzer-no-link)
  endif()
  if(CMAKE_BUILD_TYPE STREQUAL "Release")
    target_compile_definitions(${target} PRIVATE PARLEY_RELEASE)
    target_compile_options(${target} PRIVATE
      -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection -fcf-protection=full)
    if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
      target_compile_options(${target} PRIVATE -ftrivial-auto-var-init=zero)
    endif()
    target_link_options(${target} PUBLIC -pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
  endif()
endfunction()

set(CMAKE_C_FLAGS_RELEASE "-O2 -g")
